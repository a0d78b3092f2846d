"""What sweeping removes, and what it leaves alone."""

import os
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
from worker.folders import own_folder, work_dir
from worker.sweep import Kind, Leftover, delete_ended_work, delete_expired, delete_orphans, sweep
from worker.tools import Tools


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
    assert await delete_expired(tools) == [Leftover(Kind.EXPIRED, old, 4)]
    assert await delete_expired(tools) == []
    assert not await tools.storage.exists(old)
    assert await tools.storage.exists(young)
    async with tools.database.read() as session:
        gone = await session.scalars(select(Artifact.storage_key).where(Artifact.deleted_at.is_not(None)))
        assert list(gone) == [old]


async def test_stored_files_that_no_artifact_names_go_once_they_are_old(tools: Tools, tmp_path: Path) -> None:
    kept = await make_artifact(tools, tmp_path, await make_job(tools, JobState.DONE), lives=60)
    await store(tools, tmp_path, "orphan/1.video.mp4")
    assert await delete_orphans(tools) == []  # an attempt may be about to name it
    assert await delete_orphans(tools, older_than=0) == [Leftover(Kind.ORPHAN, "orphan/1.video.mp4", 4)]
    assert [found.key async for found in tools.storage.keys()] == [kept]  # noqa: SIM118


async def test_a_file_whose_deletion_a_crash_cut_short_goes_as_an_orphan(
    tools: Tools, tmp_path: Path
) -> None:
    key = await make_artifact(tools, tmp_path, await make_job(tools, JobState.DONE), lives=-1)
    await delete_expired(tools)
    await store(tools, tmp_path, key)
    assert len(await delete_orphans(tools, older_than=0)) == 1


async def test_work_folders_of_ended_and_unknown_jobs_go_and_those_in_use_stay(tools: Tools) -> None:
    kept = {str(await make_job(tools, state)) for state in (JobState.QUEUED, JobState.RUNNING)}
    for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED):
        await make_job(tools, state)
    root = tools.settings.work_folder
    (root / str(new_id())).mkdir()
    (root / "not a job").mkdir()
    assert len(await delete_ended_work(tools)) == 4
    assert {path.name for path in root.iterdir()} == kept | {"not a job"}


async def test_a_folder_in_which_somebody_still_works_stays(tools: Tools) -> None:
    folder = work_dir(tools.settings, await make_job(tools, JobState.DONE))
    with own_folder(folder, attempt=1):
        assert await delete_ended_work(tools) == []
    assert await delete_ended_work(tools) == [Leftover(Kind.WORK, folder.name, 1)]
    assert not folder.exists()


async def test_a_look_names_everything_and_removes_nothing(tools: Tools, tmp_path: Path) -> None:
    job_id = await make_job(tools, JobState.DONE)
    over = await make_artifact(tools, tmp_path, job_id, lives=-1)
    kept = await make_artifact(tools, tmp_path, job_id, lives=60)
    await store(tools, tmp_path, "orphan/1.video.mp4")
    half = tools.settings.files_folder / ".incoming" / "half"
    half.parent.mkdir()
    half.write_bytes(b"hal")
    for path in (half, tools.settings.files_folder / "orphan" / "1.video.mp4"):
        os.utime(path, (1, 1))
    found = [each async for each in sweep(tools, only_look=True)]
    assert found == [
        Leftover(Kind.EXPIRED, over, 4),
        Leftover(Kind.UNFINISHED, "half", 3),
        Leftover(Kind.ORPHAN, "orphan/1.video.mp4", 4),
        Leftover(Kind.WORK, str(job_id), 1),
    ]
    assert half.exists() and await tools.storage.exists(over)
    assert [each async for each in sweep(tools)] == found
    assert [each async for each in sweep(tools)] == []
    assert [each.key async for each in tools.storage.keys()] == [kept]  # noqa: SIM118
    assert not half.exists()
