"""Where the trace of a job, and of each request, goes on"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = ("jobs", "requests")


def upgrade() -> None:
    """Bring the schema forward."""
    for table in TABLES:
        op.add_column(table, sa.Column("traceparent", sa.String(55), nullable=True))


def downgrade() -> None:
    """Take the schema back."""
    for table in TABLES:
        op.drop_column(table, "traceparent")
