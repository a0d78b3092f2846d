"""How much each job fetched, for what one person may fetch in a day"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.add_column("jobs", sa.Column("fetched", sa.BigInteger(), server_default="0", nullable=False))
    op.create_index("ix_jobs_user_key_finished_at", "jobs", ["user_key", "finished_at"])


def downgrade() -> None:
    """Take the schema back."""
    op.drop_index("ix_jobs_user_key_finished_at", "jobs")
    op.execute("ALTER TABLE jobs DROP COLUMN fetched")
