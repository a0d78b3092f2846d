"""Find the files whose time is over without a look at all that ever expired"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KEPT = sa.text("deleted_at IS NULL")


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_index(
        "ix_artifacts_kept", "artifacts", ["expires_at"], sqlite_where=KEPT, postgresql_where=KEPT
    )
    op.drop_index("ix_artifacts_expires_at", "artifacts")


def downgrade() -> None:
    """Take the schema back."""
    op.create_index("ix_artifacts_expires_at", "artifacts", ["expires_at"])
    op.drop_index("ix_artifacts_kept", "artifacts")
