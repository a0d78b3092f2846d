"""A database whose disk is full."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text

from shared.database import Database

_SQLITE = ("INSERT ON requests", "UPDATE ON requests", "UPDATE ON jobs", "INSERT ON chat_settings")


@asynccontextmanager
async def has_no_room(database: Database) -> AsyncIterator[None]:
    """What people ask for finds no room until the block ends.

    SQLite may not grow, and needs more than a page is left for; PostgreSQL says what it says on a full disk.
    """
    begin = [
        "CREATE TABLE ballast (load BLOB)",
        *(
            f"CREATE TRIGGER ballast{number} BEFORE {event} "
            "BEGIN INSERT INTO ballast VALUES (zeroblob(1000000)); END"
            for number, event in enumerate(_SQLITE)
        ),
        "PRAGMA max_page_count = 1",
    ]
    end = [
        "PRAGMA max_page_count = 1000000",
        *(f"DROP TRIGGER ballast{number}" for number, _ in enumerate(_SQLITE)),
        "DROP TABLE ballast",
    ]
    if not database.is_sqlite:
        begin = [
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = 'disk_full'; END $$",
            *(
                f"CREATE TRIGGER full_disk BEFORE INSERT OR UPDATE ON {table} EXECUTE FUNCTION full_disk()"
                for table in ("requests", "jobs", "chat_settings")
            ),
        ]
        end = ["DROP FUNCTION full_disk CASCADE"]
    await tell(database, *begin)
    try:
        yield
    finally:
        await tell(database, *end)


async def tell(database: Database, *statements: str) -> None:
    """Statements in one transaction."""
    async with database.write() as session:
        for statement in statements:
            await session.execute(text(statement))
