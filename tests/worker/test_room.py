"""A disk that runs full: jobs make way in words, nothing half is kept, and all goes on once there is room."""

import asyncio
import errno
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import UUID

import pytest
import pytest_asyncio
from sqlalchemy import select

import shared.retry
import worker.janitor
import worker.room
from linkferry import doctor
from shared import space
from shared.errors import FAILURES, Code, JobError
from shared.models import Artifact, JobState
from shared.retry import MAX_FAILURES
from shared.settings import Settings
from tests.journeys.service import Service, open_service, settings_for, slowly
from tests.site.server import MediaSite
from tests.waiting import eventually
from worker.child import ChildServer
from worker.folders import LOCK, own_folder, work_dir
from worker.room import Room, make_room
from worker.supervise import main_cause

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZE, RESERVE = 64_000_000, 16_000_000  # bytes of the disk
FULL = FAILURES[Code.DISK_FULL]


class Disk:
    """A small file system, and what somebody else has on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, free: int) -> None:
        """Somebody else takes room, so that about so many bytes are left."""
        left = space.free_bytes(self.folder)
        assert left is not None
        self._ballast.write_bytes(b"x" * (left - free))

    def clear(self) -> None:
        """They give it back."""
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """A real one where this may be mounted; else the one function that asks for free space counts instead."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    is_real = subprocess.run(mount, check=False, capture_output=True).returncode == 0
    if not is_real:
        monkeypatch.setattr(space, "free_bytes", lambda _: SIZE - space.size_of(folder))
    yield Disk(folder)
    if is_real:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest_asyncio.fixture(loop_scope="session")
async def service(
    disk: Disk, tmp_path: Path, site: MediaSite, children: ChildServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """A service with its files on the small disk; nobody waits long."""
    for where, name, seconds in (
        (shared.retry, "BASE_DELAY", 0.1),
        (shared.retry, "FULL_PAUSE", 0.1),
        (worker.janitor, "SWEEP_INTERVAL", 0.1),
        (worker.room, "LOOK_INTERVAL", 0.05),
    ):
        monkeypatch.setattr(where, name, seconds)
    site.reset()
    settings = settings_for(disk.folder / "data", site, disk_reserve_gb=RESERVE / 10**9, lease=10)
    async with open_service(settings, site, children) as running:
        yield running


async def nothing_is_kept(service: Service) -> bool:
    """Whether neither a file nor an artifact of any job is there."""
    async with service.parts.database.read() as session:
        artifacts = (await session.scalars(select(Artifact))).all()
    folders = (service.data_dir / "work", service.data_dir / "files")
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file() and path.name != LOCK]
    return not artifacts and not files


@pytest.mark.slow
async def test_a_job_gives_its_room_back_and_is_carried_once_there_is_some(
    service: Service, disk: Disk
) -> None:
    asked = await service.ask(slowly(150_000))
    await service.downloading(asked)
    disk.fill(free=RESERVE - 2_000_000)

    async def waits_for_room() -> bool:
        view = await service.parts.follower.view(asked.job_id)
        return view is not None and view.obstacle is not None

    await eventually(waits_for_room)
    assert await nothing_is_kept(service)
    job = await service.job(asked.job_id)
    assert (job.state, job.error_code, job.attempt) == (JobState.QUEUED, Code.DISK_FULL, 1)
    view = await service.parts.follower.view(asked.job_id)
    assert view and view.obstacle == f"{FULL.sentence} {FULL.next_step}"

    finding = await doctor._disk(service.parts.settings)
    assert (finding.mark, "no job is taken" in finding.advice) == ("fix", True)
    waiting = await service.ask("/watch/sample", who="bob")
    disk.clear()
    assert (await service.ended(asked)).state is JobState.DONE
    assert (await service.ended(waiting)).state is JobState.DONE
    assert (await service.told(asked))["state"] == "done"


@pytest.mark.slow
async def test_a_disk_that_fills_up_before_anybody_looks_breaks_nothing(
    service: Service, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = await service.ask(slowly(200_000))
    await service.downloading(asked)
    monkeypatch.setattr(worker.room, "LOOK_INTERVAL", 3600)
    disk.fill(free=100_000)

    async def has_made_way() -> bool:
        return (await service.job(asked.job_id)).state is JobState.QUEUED

    await eventually(has_made_way)
    assert await nothing_is_kept(service)
    assert (await service.job(asked.job_id)).error_code is Code.DISK_FULL
    disk.clear()


@pytest.mark.slow
async def test_what_is_larger_than_the_room_is_refused_before_most_of_it_is_fetched(
    service: Service, site: MediaSite
) -> None:
    asked = await service.ask("/big/60MB.mp4?n=1")
    view = await service.ended(asked)
    assert view.error and (view.state, view.error.code) == (JobState.FAILED, "disk_full")
    assert (await service.told(asked))["error"] == f"{FULL.sentence} {FULL.next_step}"
    assert site.bytes_sent < MAX_FAILURES * 30_000_000
    assert await nothing_is_kept(service)


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Room, list[int | None]]]:
    """A room, and the free bytes that the next looks find."""
    found: list[int | None] = [10**9]
    monkeypatch.setattr(space, "free_bytes", lambda _: found[0])
    yield Room(Settings(_env_file=None, data_dir=tmp_path, disk_reserve_gb=1)), found


async def test_a_shortage_is_logged_once_at_both_ends(
    room: tuple[Room, list[int | None]], caplog: pytest.LogCaptureFixture
) -> None:
    watched, free = room
    caplog.set_level("INFO", "worker.room")
    for now in (10**9, 10**9 - 1, 5, 0, 10**9, None):
        free[0] = now
        await watched.look()
    assert [record.message for record in caplog.records] == [
        "less than 1.0 GB are free: no job is taken",
        "there is room again",
    ]


async def test_where_nobody_can_tell_there_is_room(
    room: tuple[Room, list[int | None]], tmp_path: Path
) -> None:
    watched, free = room
    free[0] = None
    await watched.look()
    assert not watched.is_short
    assert await watched.left_for(tmp_path) is None


async def test_what_a_job_has_already_is_room_of_its_own(
    room: tuple[Room, list[int | None]], tmp_path: Path
) -> None:
    watched, free = room
    (tmp_path / "media.part").write_bytes(b"x" * 500)
    free[0] = 10**9 + 100
    assert await watched.left_for(tmp_path) == 600
    free[0] = 7
    assert await watched.left_for(tmp_path) == 500


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
async def test_a_full_disk_that_our_own_writes_meet_is_one_and_the_folder_is_emptied(
    room: tuple[Room, list[int | None]], tmp_path: Path, number: int
) -> None:
    watched, free = room
    free[0] = 0
    (tmp_path / "media.part").touch()

    async def write() -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(ExceptionGroup) as raised:
        async with watched.held(tmp_path), asyncio.TaskGroup() as group:
            group.create_task(write())
    cause = main_cause(raised.value)
    assert isinstance(cause, JobError) and cause.code is Code.DISK_FULL
    assert list(tmp_path.iterdir()) == []


async def test_other_errors_of_our_own_writes_are_what_they_are(
    room: tuple[Room, list[int | None]], tmp_path: Path
) -> None:
    watched, free = room
    free[0] = 0
    (tmp_path / "media.part").touch()
    with pytest.raises(ExceptionGroup) as raised:
        async with watched.held(tmp_path):
            raise PermissionError(errno.EACCES, "Permission denied")
    assert isinstance(main_cause(raised.value), PermissionError)
    assert (tmp_path / "media.part").exists()


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Settings, list[Path]]:
    """A disk that is full of what three queued jobs have; their folders, the youngest job's last."""
    settings = Settings(_env_file=None, data_dir=tmp_path, disk_reserve_gb=1)
    folders = [work_dir(settings, UUID(int=number)) for number in (1, 2, 3)]
    for folder in folders:
        with own_folder(folder):
            (folder / "media.part").write_bytes(b"x" * 1000)
    free = 10**9 + 2500  # without them: one of the three is in the reserve's way
    monkeypatch.setattr(space, "free_bytes", lambda _: free - space.size_of(settings.work_folder))
    return settings, folders


async def test_where_nothing_runs_the_youngest_that_wait_make_room(
    waiting: tuple[Settings, list[Path]],
) -> None:
    settings, folders = waiting
    make_room(settings)
    assert [folder.exists() for folder in folders] == [True, True, False]
    make_room(settings)
    assert folders[1].exists()


async def test_where_another_disk_is_full_no_folder_goes(
    waiting: tuple[Settings, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, folders = waiting
    room = {settings.work_folder: settings.disk_reserve, settings.files_folder: 0}
    monkeypatch.setattr(space, "free_bytes", room.get)
    make_room(settings)
    assert all(folder.exists() for folder in folders)


async def test_a_worker_without_jobs_does_not_lock_itself_out_of_a_full_disk(
    waiting: tuple[Settings, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, folders = waiting
    monkeypatch.setattr(worker.room, "LOOK_INTERVAL", 0.01)
    room = Room(settings)
    await room.look()
    assert room.is_short
    watching = asyncio.create_task(room.watch())
    async with asyncio.timeout(60):
        await room.wait()
    watching.cancel()
    assert sum(folder.exists() for folder in folders) == 2


async def test_folders_in_which_somebody_works_make_no_room(
    waiting: tuple[Settings, list[Path]],
) -> None:
    settings, folders = waiting
    with own_folder(folders[2]):
        make_room(settings)
        assert [folder.exists() for folder in folders] == [True, False, True]


async def test_other_failures_leave_the_folder_as_it_is(
    room: tuple[Room, list[int | None]], tmp_path: Path
) -> None:
    watched, _ = room
    part = tmp_path / "media.part"
    part.touch()
    for code in (Code.NETWORK, Code.DISK_FULL):  # the second: of a bucket, while there is room here
        with pytest.raises(ExceptionGroup) as raised:
            async with watched.held(tmp_path):
                raise JobError(code)
        assert raised.group_contains(JobError, match=code)
    assert part.exists()
