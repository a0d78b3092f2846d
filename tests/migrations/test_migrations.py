"""The schema goes up and down, and is the one that the models describe."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect

import migrations
from shared.database import Database
from shared.models import Base


async def test_up_gives_the_schema_of_the_models_and_down_removes_everything(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/linkferry.db")
    assert not await migrations.is_current(database)

    await migrations.upgrade(database)
    assert await migrations.is_current(database)
    async with database.connection() as connection:
        differences = await connection.run_sync(
            lambda sync: compare_metadata(MigrationContext.configure(sync), Base.metadata)
        )
    assert differences == []

    await migrations.downgrade(database, "base")
    async with database.connection() as connection:
        tables = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert tables == ["alembic_version"]
    await database.close()


async def test_migrating_twice_is_fine(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/linkferry.db")
    await migrations.upgrade(database)
    await migrations.upgrade(database)
    assert await migrations.is_current(database)
    await database.close()
