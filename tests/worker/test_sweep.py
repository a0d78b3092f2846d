"""What sweeping removes, and what it leaves alone."""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import ANY
from uuid import UUID

import pytest
from sqlalchemy import select

import worker.folders
from shared.ids import new_id
from shared.models import Artifact, ArtifactKind, Job, JobState
from shared.settings import Settings
from shared.storage import HalfDone, StorageError
from shared.storage.local import LocalStorage
from tests.sqlite import new_database
from worker.folders import own_folder, work_dir
from worker.sweep import Kind, Leftover, sweep
from worker.tools import Tools


@pytest.fixture
async def tools(tmp_path: Path) -> AsyncIterator[Tools]:
    """An empty database and storage; the janitor needs no children."""
    database = await new_database(tmp_path)
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


async def swept(tools: Tools, *kinds: Kind) -> list[Leftover]:
    """What a sweep of these kinds removes."""
    return [each async for each in sweep(tools, kinds)]


async def stored(tools: Tools) -> set[str]:
    """The keys that are stored."""
    return {found.key async for found in tools.storage.keys()}  # noqa: SIM118


async def test_expired_files_go_and_the_others_stay(tools: Tools, tmp_path: Path) -> None:
    job_id = await make_job(tools, JobState.DONE)
    old = await make_artifact(tools, tmp_path, job_id, lives=-1)
    young = await make_artifact(tools, tmp_path, job_id, lives=60)
    assert await swept(tools, Kind.EXPIRED) == [Leftover(Kind.EXPIRED, old, 4)]
    assert await swept(tools, Kind.EXPIRED) == []
    assert await tools.storage.size(old) is None
    assert await tools.storage.size(young) is not None
    async with tools.database.read() as session:
        gone = await session.scalars(select(Artifact.storage_key).where(Artifact.deleted_at.is_not(None)))
        assert list(gone) == [old]


async def test_what_an_ended_job_stored_without_an_artifact_goes(tools: Tools, tmp_path: Path) -> None:
    job_id = await make_job(tools, JobState.DONE)
    kept = await make_artifact(tools, tmp_path, job_id, lives=60)
    orphan = f"{job_id}/1.0.video.mp4"
    await store(tools, tmp_path, orphan)
    assert await swept(tools, Kind.ORPHAN) == [Leftover(Kind.ORPHAN, orphan, 4)]
    assert await stored(tools) == {kept}


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING])
async def test_what_a_job_stored_stays_however_old_until_the_job_has_ended(
    tools: Tools, tmp_path: Path, state: JobState
) -> None:
    key = f"{await make_job(tools, state)}/1.0.captions.vtt"
    await store(tools, tmp_path, key)
    os.utime(tools.settings.files_folder / key, (1, 1))
    assert await swept(tools, Kind.ORPHAN) == []
    assert await stored(tools) == {key}


async def test_what_no_job_of_this_database_stored_is_left_alone(tools: Tools, tmp_path: Path) -> None:
    theirs = {f"{new_id()}/1.0.video.mp4", "notes.txt", "o/r", str(await make_job(tools, JobState.DONE))}
    for key in theirs:
        await store(tools, tmp_path, key)
        os.utime(tools.settings.files_folder / key, (1, 1))
    assert await swept(tools, *Kind) == [Leftover(Kind.WORK, ANY, 1)]
    assert await stored(tools) == theirs


async def test_a_file_whose_deletion_a_crash_cut_short_goes_as_an_orphan(
    tools: Tools, tmp_path: Path
) -> None:
    key = await make_artifact(tools, tmp_path, await make_job(tools, JobState.DONE), lives=-1)
    await swept(tools, Kind.EXPIRED)
    await store(tools, tmp_path, key)
    assert len(await swept(tools, Kind.ORPHAN)) == 1


async def test_neither_an_odd_name_nor_what_cannot_be_deleted_stops_the_sweep(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    job_id = await make_job(tools, JobState.DONE)
    stuck, loose = f"{job_id}/1.0.video.mp4", f"{job_id}/1.1.info.json"
    for key in (stuck, loose):
        await store(tools, tmp_path, key)
    odd = tools.settings.files_folder / str(job_id) / ".nfs0000000000000001"
    odd.write_bytes(b"x")
    delete = tools.storage.delete

    async def refuse(key: str) -> None:
        if key == stuck:
            raise StorageError("Operation not permitted")
        await delete(key)

    monkeypatch.setattr(tools.storage, "delete", refuse)
    found = {(each.kind, each.name) for each in await swept(tools, *Kind)}
    assert found == {(Kind.WORK, str(job_id)), (Kind.ORPHAN, loose)}
    assert [record.levelname for record in caplog.records if "Operation not permitted" in record.message] == [
        "WARNING"
    ]
    assert odd.exists()


async def test_what_is_unfinished_may_not_be_listed_and_the_rest_goes_all_the_same(
    tools: Tools, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(_: float) -> list[HalfDone]:
        raise StorageError("AccessDenied")

    monkeypatch.setattr(tools.storage, "half_done", refused)
    job_id = await make_job(tools, JobState.DONE)
    await make_artifact(tools, tmp_path, job_id, lives=-1)
    await store(tools, tmp_path, f"{job_id}/1.0.video.mp4")
    with pytest.raises(StorageError):
        await swept(tools, *Kind)
    assert await stored(tools) == set()


async def test_work_folders_of_ended_and_unknown_jobs_go_and_those_in_use_stay(tools: Tools) -> None:
    kept = {str(await make_job(tools, state)) for state in (JobState.QUEUED, JobState.RUNNING)}
    for state in (JobState.DONE, JobState.FAILED, JobState.CANCELLED):
        await make_job(tools, state)
    root = tools.settings.work_folder
    (root / str(new_id())).mkdir()
    (root / "not a job").mkdir()
    assert len(await swept(tools, Kind.WORK)) == 4
    assert {path.name for path in root.iterdir()} == kept | {"not a job"}


async def test_a_folder_in_which_somebody_still_works_stays(tools: Tools) -> None:
    folder = work_dir(tools.settings, await make_job(tools, JobState.DONE))
    with own_folder(folder):
        assert await swept(tools, Kind.WORK) == []
    assert await swept(tools, Kind.WORK) == [Leftover(Kind.WORK, folder.name, 1)]
    assert not folder.exists()


async def test_a_folder_that_cannot_be_removed_is_not_said_to_be_gone(
    tools: Tools, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = work_dir(tools.settings, await make_job(tools, JobState.DONE))
    monkeypatch.setattr(worker.folders, "empty", lambda _: None)
    assert await swept(tools, Kind.WORK) == []
    assert folder.exists() and "not empty" in caplog.text
    monkeypatch.undo()
    assert await swept(tools, Kind.WORK) == [Leftover(Kind.WORK, folder.name, 1)]


async def test_a_look_names_everything_and_removes_nothing(tools: Tools, tmp_path: Path) -> None:
    job_id = await make_job(tools, JobState.DONE)
    over = await make_artifact(tools, tmp_path, job_id, lives=-1)
    kept = await make_artifact(tools, tmp_path, job_id, lives=60)
    orphan = f"{job_id}/1.0.video.mp4"
    await store(tools, tmp_path, orphan)
    half = tools.settings.files_folder / ".incoming" / "half"
    half.parent.mkdir()
    half.write_bytes(b"hal")
    os.utime(half, (1, 1))
    found = [each async for each in sweep(tools, only_look=True)]
    assert found == [
        Leftover(Kind.WORK, str(job_id), 1),
        Leftover(Kind.EXPIRED, over, 4),
        Leftover(Kind.ORPHAN, orphan, 4),
        Leftover(Kind.UNFINISHED, "half", 3),
    ]
    assert half.exists() and await tools.storage.size(over) is not None
    assert [each async for each in sweep(tools)] == found
    assert [each async for each in sweep(tools)] == []
    assert await stored(tools) == {kept}
    assert not half.exists()
