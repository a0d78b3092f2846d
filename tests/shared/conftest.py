"""A migrated database for the tests of what moves its rows."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import migrations
from shared.database import Database


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """An empty database with today's schema."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/linkferry.db")
    await migrations.upgrade(database)
    yield database
    await database.close()
