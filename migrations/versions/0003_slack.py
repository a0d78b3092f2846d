"""Where the Slack app is installed: the tables of slack_sdk's stores"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the schema forward."""
    op.create_table(
        "slack_bots",
        *_who(),
        *_words(("team_id", 32), ("team_name", 200)),
        *_bot(),
        *_how(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slack_bots")),
    )
    op.create_index("slack_bots_idx", "slack_bots", ["client_id", "enterprise_id", "team_id", "installed_at"])
    op.create_table(
        "slack_installations",
        *_who(),
        *_words(("enterprise_url", 200), ("team_id", 32), ("team_name", 200)),
        *_bot(),
        sa.Column("user_id", sa.String(32), nullable=False),
        *_words(("user_token", 200), ("user_scopes", 1000), ("user_refresh_token", 200)),
        sa.Column("user_token_expires_at", sa.DateTime(), nullable=True),
        *_words(("incoming_webhook_url", 200), ("incoming_webhook_channel", 200)),
        *_words(("incoming_webhook_channel_id", 200), ("incoming_webhook_configuration_url", 200)),
        *_words(("token_type", 32)),
        *_how(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slack_installations")),
    )
    op.create_index(
        "slack_installations_idx",
        "slack_installations",
        ["client_id", "enterprise_id", "team_id", "user_id", "installed_at"],
    )
    op.create_table(
        "slack_oauth_states",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("state", sa.String(200), nullable=False),
        sa.Column("expire_at", sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_slack_oauth_states")),
    )


def downgrade() -> None:
    """Take the schema back."""
    op.drop_table("slack_oauth_states")
    op.drop_table("slack_installations")
    op.drop_table("slack_bots")


def _words(*columns: tuple[str, int]) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.String(length), nullable=True) for name, length in columns]


def _who() -> list[sa.Column[Any]]:
    return [
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("client_id", sa.String(32), nullable=False),
        sa.Column("app_id", sa.String(32), nullable=False),
        *_words(("enterprise_id", 32), ("enterprise_name", 200)),
    ]


def _bot() -> list[sa.Column[Any]]:
    return [
        *_words(("bot_token", 200), ("bot_id", 32), ("bot_user_id", 32), ("bot_scopes", 1000)),
        *_words(("bot_refresh_token", 200)),
        sa.Column("bot_token_expires_at", sa.DateTime(), nullable=True),
    ]


def _how() -> list[sa.Column[Any]]:
    return [
        sa.Column("is_enterprise_install", sa.Boolean(), nullable=False),
        sa.Column("installed_at", sa.DateTime(), nullable=False),
    ]
