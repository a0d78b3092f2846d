"""What chat platforms need: settings of chats, who may use the bot, files sent before"""

import sqlalchemy as sa
from alembic import op

from shared.database import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "chat_settings",
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("chat_id", sa.String(255), nullable=False),
        sa.Column("choice", sa.String(16), nullable=True),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("as_link", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "chat_id", name=op.f("pk_chat_settings")),
    )
    op.create_table(
        "members",
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("role", sa.String(32), nullable=False),
        sa.Column("name", sa.String(255), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("platform", "subject", name=op.f("pk_members")),
    )
    op.create_table(
        "uploads",
        sa.Column("platform", sa.String(32), nullable=False),
        sa.Column("artifact_id", sa.Uuid(), nullable=False),
        sa.Column("file_id", sa.String(255), nullable=False),
        sa.ForeignKeyConstraint(["artifact_id"], ["artifacts.id"], name=op.f("fk_uploads_artifact_id")),
        sa.PrimaryKeyConstraint("platform", "artifact_id", name=op.f("pk_uploads")),
    )
    op.add_column("requests", sa.Column("post_after", UtcDateTime(), nullable=True))
    op.add_column("requests", sa.Column("reply_to", sa.String(255), nullable=True))
    op.add_column("requests", sa.Column("as_link", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_requests_person", "requests", ["platform", "user_id", "id"])
    op.create_index("ix_requests_chat", "requests", ["platform", "chat_id", "id"])


def downgrade() -> None:
    """Take the schema back."""
    op.drop_index("ix_requests_chat", "requests")
    op.drop_index("ix_requests_person", "requests")
    with op.batch_alter_table("requests") as requests:
        requests.drop_column("as_link")
        requests.drop_column("reply_to")
        requests.drop_column("post_after")
    op.drop_table("uploads")
    op.drop_table("members")
    op.drop_table("chat_settings")
