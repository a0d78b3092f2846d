"""Schema changes, oldest first, through alembic; the same for SQLite and PostgreSQL."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from shared.database import Database

LOCK_ID = 7_118_001  # one number for everybody who migrates this schema


def config(connection: Connection | None = None) -> Config:
    """Alembic's settings, without an ini file."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings


async def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to a revision; fine when it is there already, or when two processes try at once."""
    async with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
        await connection.run_sync(lambda sync: command.upgrade(config(sync), revision))


async def downgrade(database: Database, revision: str) -> None:
    """Bring the schema back to a revision; `base` removes everything."""
    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(config(sync), revision))


async def is_current(database: Database) -> bool:
    """Whether the database has the schema this program was written for."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    async with database.connection() as connection:
        return (
            await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())
            == head
        )
