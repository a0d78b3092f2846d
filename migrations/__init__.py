"""Schema changes, oldest first, through alembic; the same for SQLite and PostgreSQL.

Alembic is imported only when there is something to do: most starts find in one row that there is not.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from shared.database import Database
from shared.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config

LOCK_ID = 7_118_001  # one number for everybody who migrates this schema
VERSIONS = Path(__file__).parent / "versions"


def head() -> str:
    """The newest revision. Every file in `versions` begins with the number that is its revision."""
    return max(path.name.partition("_")[0] for path in VERSIONS.glob("[0-9]*.py"))


def config(connection: Connection | None = None) -> "Config":
    """Alembic's settings, without an ini file."""
    from alembic.config import Config

    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent))
    settings.set_main_option("path_separator", "os")
    settings.attributes["connection"] = connection
    return settings


async def upgrade(database: Database, revision: str = "head") -> None:
    """Bring the schema to a revision; fine when it is there already, or when two processes try at once.

    Raises:
        ConfigError: the database cannot be opened, or a newer Linkferry has changed its schema.
    """
    found = await current(database)
    if found == (head() if revision == "head" else revision):
        return
    if found is not None and found > head():
        raise ConfigError(
            f"The database has the schema of a newer Linkferry ({found}; this one knows {head()}): update it."
        )
    try:
        await _upgrade(database, revision)
    except (SQLAlchemyError, OSError) as error:
        cause = getattr(error, "orig", None) or error
        raise ConfigError(
            f"I cannot open the database or change its schema ({str(cause) or 'no answer'}). "
            "Check LINKFERRY_DATABASE_URL and LINKFERRY_DATA_DIR."
        ) from error


async def _upgrade(database: Database, revision: str) -> None:
    from alembic import command

    async with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            await connection.execute(text("SELECT pg_advisory_xact_lock(:id)"), {"id": LOCK_ID})
        await connection.run_sync(lambda sync: command.upgrade(config(sync), revision))


async def downgrade(database: Database, revision: str) -> None:
    """Bring the schema back to a revision; `base` removes everything."""
    from alembic import command

    async with database.engine.begin() as connection:
        await connection.run_sync(lambda sync: command.downgrade(config(sync), revision))


async def current(database: Database) -> str | None:
    """The schema's revision; None when there is none, or when the database does not say."""
    try:
        async with database.read() as session:
            revision: str | None = await session.scalar(text("SELECT version_num FROM alembic_version"))
            return revision
    except (SQLAlchemyError, OSError):  # no such table, or no such database: `upgrade` finds out which
        return None
