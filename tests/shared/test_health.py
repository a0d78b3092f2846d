"""What health tells: what is well, what is not and why, and what of it a process can do without."""

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import psutil
import pytest
from sqlalchemy import update

from shared import checks, health
from shared.checks import Finding
from shared.database import Database, db_now
from shared.health import NEEDS, Health, Kept
from shared.models import Job
from shared.queue import EmbeddedQueue, QueueUnavailable
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.services import free_port
from tests.shared.conftest import make_jobs
from tests.waiting import eventually

Open = Callable[..., Health]


class BrokenQueue(EmbeddedQueue):
    """A broker that is down."""

    async def depth(self) -> int:
        """There is no answer."""
        raise QueueUnavailable("down")


class SilentQueue(EmbeddedQueue):
    """A broker that says nothing at all."""

    async def depth(self) -> int:
        """There is no end of waiting."""
        await asyncio.Event().wait()
        return 0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(_env_file=None, data_dir=tmp_path)  # type: ignore[call-arg]


@pytest.fixture
async def gone() -> AsyncIterator[Database]:
    """A database that nobody can reach."""
    database = Database(f"postgresql+asyncpg://x@127.0.0.1:{free_port()}/x")
    yield database
    await database.close()


def look(
    settings: Settings, database: Database, queue: EmbeddedQueue | None = None, role: str = "worker"
) -> Health:
    storage = LocalStorage(settings.files_folder)
    return Health(settings, database, queue or EmbeddedQueue(), storage, NEEDS[role])


@pytest.mark.slow
@pytest.mark.parametrize("queue", [BrokenQueue(), SilentQueue()])
async def test_a_broker_that_is_down_stops_workers_only(
    settings: Settings, database: Database, queue: EmbeddedQueue
) -> None:
    reports = (look(settings, database, queue, role).report() for role in ("worker", "web", "bots"))
    worker, *others = await asyncio.gather(*reports)
    assert worker.status == "failing" and not worker.is_ready
    assert worker.checks["broker"].reason.endswith("it does not answer.")
    assert worker.checks["database"].ok, "the rest is told"
    assert [report.status for report in others] == ["warning", "warning"]


@pytest.mark.parametrize("role", ["web", "bots", "worker"])
async def test_nothing_goes_without_a_database(settings: Settings, gone: Database, role: str) -> None:
    report = await look(settings, gone, role=role).report()
    assert report.status == "failing"
    assert not report.checks["database"].ok and not report.checks["workers"].ok
    assert report.checks["broker"].ok


async def test_a_folder_that_takes_no_files_stops_who_serves_or_stores_them(
    settings: Settings, database: Database
) -> None:
    settings.files_folder.parent.mkdir(exist_ok=True)
    settings.files_folder.write_text("a file where the folder should be")
    for role, status in (("web", "failing"), ("worker", "failing"), ("bots", "warning")):
        report = await look(settings, database, role=role).report()
        assert (report.status, report.checks["storage"].ok) == (status, False)


async def test_a_full_disk_stops_workers_only(settings: Settings, database: Database) -> None:
    full = settings.model_copy(update={"disk_reserve_gb": 10.0**9})
    for role, status in (("worker", "failing"), ("web", "warning")):
        report = await look(full, database, role=role).report()
        assert (report.status, report.checks["disk"].ok) == (status, False)


async def test_an_old_yt_dlp_is_a_warning(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "version", lambda name: "2020.01.01")
    report = await look(settings, database).report()
    assert report.is_ready and "days old" in report.checks["yt_dlp"].reason


async def test_no_worker_is_a_warning_also_for_the_web(settings: Settings, database: Database) -> None:
    report = await look(settings, database, role="web").report()
    assert report.status == "warning" and "none running" in report.checks["workers"].reason


async def test_it_tells_what_waits_and_for_how_long(settings: Settings, database: Database) -> None:
    await make_jobs(database, 2)
    async with database.write() as session:
        await session.execute(update(Job).values(created_at=db_now(-3600)))
    reason = (await look(settings, database).report()).checks["database"].reason
    assert reason.startswith("2 queued, 0 to be tried again, 0 running, the oldest for 1:0")


async def test_a_missing_ffmpeg_stops_workers_only(
    settings: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks.shutil, "which", lambda name: None)
    for role, status in (("worker", "failing"), ("bots", "warning")):
        report = await look(settings, database, role=role).report()
        assert (report.status, report.checks["ffmpeg"].ok) == (status, False)


@pytest.fixture
def silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a program that says nothing, `ffmpeg`, notes its process id."""
    noted, script = tmp_path / "pid", tmp_path / "ffmpeg"
    script.write_text(f"#!/bin/sh\necho $$ > {noted}.part && mv {noted}.part {noted}\nexec sleep 1000\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return noted


async def test_a_program_that_nobody_waits_for_any_longer_is_ended(
    silent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ANSWER_TIME", 600)
    before = threading.enumerate()
    asking = asyncio.create_task(checks.program("ffmpeg"))
    await eventually(silent.exists)
    asking.cancel()
    await asyncio.wait([asking])
    reaping = [each for each in threading.enumerate() if "waitpid" in each.name and each not in before]
    await eventually(lambda: not psutil.pid_exists(int(silent.read_text())))
    await eventually(lambda: not any(thread.is_alive() for thread in reaping))


async def test_of_a_program_that_does_not_answer_nobody_says_it_is_missing(
    silent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "ANSWER_TIME", 0)
    finding = await checks.program("ffmpeg")
    assert finding.fatal and finding.found == f"{silent.parent}/ffmpeg does not answer."
    assert "-version" in finding.advice and "Install" not in finding.advice


async def test_what_is_looked_at_is_told_also_when_nothing_answers_in_time(
    settings: Settings, gone: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: str) -> Finding:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(checks, "program", hang)
    monkeypatch.setattr(health, "PATIENCE", 0)
    report = await look(settings, gone, SilentQueue()).report()
    assert report.status == "failing" and report.checks.keys() >= NEEDS["worker"]
    assert (
        report.checks["ffmpeg"].reason
        == report.checks["broker"].reason
        == "TimeoutError: it does not answer."
    )


async def test_many_who_ask_at_once_cost_one_question() -> None:
    asked = 0

    async def question() -> int:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        return asked

    kept = Kept(question, 3600)
    assert set(await asyncio.gather(*(kept.get() for _ in range(50)))) == {1}
    assert await kept.get() == 1, "and is kept"
    fresh = Kept(question, 0)
    assert [await fresh.get(), await fresh.get()] == [2, 3]


async def test_who_gives_up_asking_takes_the_answer_from_nobody() -> None:
    go = asyncio.Event()

    async def question() -> str:
        await go.wait()
        return "answer"

    kept = Kept(question, 3600)
    hasty, patient = asyncio.create_task(kept.get()), asyncio.create_task(kept.get())
    await asyncio.sleep(0)
    hasty.cancel()
    go.set()
    assert await patient == "answer"


async def test_a_failure_is_kept_no_longer_than_an_answer() -> None:
    outcomes: list[Callable[[], Awaitable[int]]] = []

    async def question() -> int:
        return await outcomes.pop(0)()

    async def fails() -> int:
        raise OSError("away")

    async def works() -> int:
        return 7

    outcomes += [fails, works]
    kept = Kept(question, 0)
    with pytest.raises(OSError, match="away"):
        await kept.get()
    assert await kept.get() == 7


def test_workers_without_room_are_named() -> None:
    assert checks.workers({"a:1": 3, "b:2": 2}) == Finding("workers", "2 running, 5 jobs at once")
    assert "b:2" in checks.workers({"a:1": 3, "b:2": 0}).advice
