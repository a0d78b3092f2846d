"""What the janitor removes, and what it leaves alone."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select

import migrations
from shared.database import Database
from shared.ids import new_id
from shared.models import Artifact, ArtifactKind, Job, JobState
from shared.settings import Settings
from shared.storage.local import LocalStorage
from worker.attempt import Tools
from worker.folders import work_dir, work_root
from worker.janitor import delete_ended_work, delete_expired, delete_orphans


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[Tools]:
    """An empty database and storage; the janitor needs no children."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/linkferry.db")
    await migrations.upgrade(database)
    settings = Settings(_env_file=None, data_dir=tmp_path / "data")
    yield Tools(settings, database, LocalStorage(tmp_path / "data" / "files"), None, None)  # type: ignore[arg-type]
    await database.close()


async def make_job(tools: Tools, state: JobState) -> UUID:
    """A job in this state, with a work folder."""
    job = Job(id=new_id(), link="https://a.example", site="a.example", user_key="u", options={}, state=state)
    async with tools.database.write() as session:
        session.add(job)
    folder = work_dir(tools.settings, job.id)
    folder.mkdir(parents=True)
    (folder / "media.part").write_bytes(b"x")
    return job.id


async def store(tools: Tools, tmp_path: Path, key: str) -> None:
    """A stored file."""
    source = tmp_path / "source"
    source.write_bytes(b"film")
    await tools.storage.put(key, source)


async def make_artifact(tools: Tools, tmp_path: Path, job_id: UUID, lives: float) -> str:
    """A stored file of a job that lives so many seconds."""
    key = f"{job_id}/{new_id()}.mp4"
    await store(tools, tmp_path, key)
    artifact = Artifact(
        job_id=job_id, kind=ArtifactKind.VIDEO, format="mp4", file_name="a.mp4", content_type="video/mp4",
        storage_key=key, size=4, sha256="0" * 64, expires_at=datetime.now(UTC) + timedelta(seconds=lives),
    )  # fmt: skip
    async with tools.database.write() as session:
        session.add(artifact)
    return key


async def test_expired_files_go_and_the_others_stay(tools: Tools, tmp_path: Path) -> None:
    job_id = await make_job(tools, JobState.DONE)
    old = await make_artifact(tools, tmp_path, job_id, lives=-1)
    young = await make_artifact(tools, tmp_path, job_id, lives=60)
    assert await delete_expired(tools) == 1
    assert await delete_expired(tools) == 0
    assert not await tools.storage.exists(old)
    assert await tools.storage.exists(young)
    async with tools.database.read() as session:
        gone = await session.scalars(select(Artifact.storage_key).where(Artifact.deleted_at.is_not(None)))
        assert list(gone) == [old]


async def test_stored_files_that_no_artifact_names_go_once_they_are_old(tools: Tools, tmp_path: Path) -> None:
    kept = await make_artifact(tools, tmp_path, await make_job(tools, JobState.DONE), lives=60)
    await store(tools, tmp_path, "orphan/1.video.mp4")
    assert await delete_orphans(tools) == 0  # an attempt may be about to name it
    assert await delete_orphans(tools, older_than=0) == 1
    assert [found.key async for found in tools.storage.keys()] == [kept]  # noqa: SIM118


async def test_a_file_whose_deletion_a_crash_cut_short_goes_as_an_orphan(
    tools: Tools, tmp_path: Path
) -> None:
    key = await make_artifact(tools, tmp_path, await make_job(tools, JobState.DONE), lives=-1)
    await delete_expired(tools)
    await store(tools, tmp_path, key)
    assert await delete_orphans(tools, older_than=0) == 1


async def test_work_folders_of_ended_and_unknown_jobs_go_and_those_in_use_stay(tools: Tools) -> None:
    kept = {str(await make_job(tools, state)) for state in (JobState.QUEUED, JobState.RUNNING)}
    for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED):
        await make_job(tools, state)
    root = work_root(tools.settings)
    (root / str(new_id())).mkdir()
    (root / "not a job").mkdir()
    assert await delete_ended_work(tools.database, root) == 4
    assert {path.name for path in root.iterdir()} == kept | {"not a job"}
