"""An empty SQLite database with today's schema, as often as tests want one."""

import tempfile
from pathlib import Path

import migrations
from shared.database import Database

_NAME = "linkferry.db"
_made: list[bytes] = []  # the schema takes long to make, so it is made once by each process of the test run


async def new_database(folder: Path) -> Database:
    """One in this folder, open."""
    if not _made:
        with tempfile.TemporaryDirectory() as first:
            database = _open(Path(first))
            await migrations.upgrade(database)
            await database.close()
            _made.append((Path(first) / _NAME).read_bytes())
    (folder / _NAME).write_bytes(_made[0])
    return _open(folder)


def _open(folder: Path) -> Database:
    return Database(f"sqlite+aiosqlite:///{folder}/{_NAME}")
