"""The tables in which slack_sdk keeps where the app is installed, as its SQLAlchemy stores expect them.

Written out here although the SDK could make them: importing it would cost every command 0.2 s. A test holds
them to the SDK's own.
"""

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, MetaData, String, Table, func

BOTS, INSTALLATIONS, STATES = "slack_bots", "slack_installations", "slack_oauth_states"


def bots_table(metadata: MetaData) -> Table:
    """One row for each workspace: the token that the app has there. Times are UTC, without a zone."""
    return Table(
        BOTS,
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("client_id", String(32), nullable=False),
        Column("app_id", String(32), nullable=False),
        *_words("enterprise_id", 32, "enterprise_name", 200, "team_id", 32, "team_name", 200),
        *_words("bot_token", 200, "bot_id", 32, "bot_user_id", 32, "bot_scopes", 1000),
        *_words("bot_refresh_token", 200),
        Column("bot_token_expires_at", DateTime),
        Column("is_enterprise_install", Boolean, default=False, nullable=False),
        Column("installed_at", DateTime, nullable=False, default=func.now()),
        Index(f"{BOTS}_idx", "client_id", "enterprise_id", "team_id", "installed_at"),
    )


def installations_table(metadata: MetaData) -> Table:
    """One row for each time that somebody installed the app."""
    hook = "incoming_webhook"
    return Table(
        INSTALLATIONS,
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("client_id", String(32), nullable=False),
        Column("app_id", String(32), nullable=False),
        *_words("enterprise_id", 32, "enterprise_name", 200, "enterprise_url", 200),
        *_words("team_id", 32, "team_name", 200),
        *_words("bot_token", 200, "bot_id", 32, "bot_user_id", 32, "bot_scopes", 1000),
        *_words("bot_refresh_token", 200),
        Column("bot_token_expires_at", DateTime),
        Column("user_id", String(32), nullable=False),
        *_words("user_token", 200, "user_scopes", 1000, "user_refresh_token", 200),
        Column("user_token_expires_at", DateTime),
        *_words(f"{hook}_url", 200, f"{hook}_channel", 200, f"{hook}_channel_id", 200),
        *_words(f"{hook}_configuration_url", 200),
        Column("is_enterprise_install", Boolean, default=False, nullable=False),
        *_words("token_type", 32),
        Column("installed_at", DateTime, nullable=False, default=func.now()),
        Index(f"{INSTALLATIONS}_idx", "client_id", "enterprise_id", "team_id", "user_id", "installed_at"),
    )


def states_table(metadata: MetaData) -> Table:
    """One row for each installation that has begun, until Slack sends the person back."""
    return Table(
        STATES,
        metadata,
        Column("id", Integer, primary_key=True, autoincrement=True),
        Column("state", String(200), nullable=False),
        Column("expire_at", DateTime, nullable=False),
    )


def _words(*given: str | int) -> list[Column[str]]:
    """Columns of text that may be empty, from names and lengths."""
    return [
        Column(str(name), String(int(length))) for name, length in zip(given[::2], given[1::2], strict=True)
    ]
