"""A worker for these tests: the real parts and the real worker, with the tests' chat and points to die at."""

import asyncio
import os
from pathlib import Path
from typing import Any

import shared.chat.deliver
import shared.retry
import worker.supervise
from linkferry.compose import open_parts, running_worker
from linkferry.signals import stop_on_signal
from shared import deliveries, jobs
from shared.database import db_now
from shared.settings import Settings
from shared.telemetry import set_up_logging
from tests.chaos.chat import PLATFORM, ChatClient
from tests.chaos.history import History
from tests.chaos.kills import Reaper
from worker.progress import Reporter
from worker.service import Worker

HISTORY_VARIABLE = "CHAOS_HISTORY"
EARLY = 150_000  # bytes after which a download is under way
CLAIMED, DOWNLOADING, STORED, COMMITTED, SHOWN = POINTS = (
    "after the claim",
    "mid-download",
    "after store, before commit",
    "after commit, before delivery",
    "after the edit, before it is recorded",
)

carrying: set[str] = set()


def set_points(history: History) -> None:
    """Every named point, where the name says."""
    reaper = Reaper(history, lambda: sorted(carrying))
    carry = Worker._carry

    async def carry_and_tell(self: Worker, job: Any) -> None:
        carrying.add(str(job.id))
        reaper.at(CLAIMED)
        try:
            await carry(self, job)
        finally:
            carrying.discard(str(job.id))

    Worker._carry = carry_and_tell  # type: ignore[method-assign]
    reaper.before(Reporter, "downloaded", DOWNLOADING, lambda _, progress: progress.done > EARLY)
    reaper.before(jobs, "finish_many", STORED)
    reaper.before(worker.supervise, "remove_unused", COMMITTED)
    reaper.after(ChatClient, "edit", SHOWN)
    reaper.after(ChatClient, "post", SHOWN)


def hurry() -> None:
    """The same rules, but nobody waits long: the run would otherwise be mostly waiting."""
    shared.retry.BASE_DELAY = 0.5
    worker.supervise.CRASH_DELAY = 0.5
    shared.chat.deliver.LOOK_INTERVAL = 1.0
    shared.chat.deliver.EDIT_TIMEOUT = 3.0
    deliveries.RETRY = 1.0
    deliveries._CLAIM = deliveries._CLAIM.values(delivery_after=db_now(6.0))


async def main() -> None:
    """Work until SIGTERM."""
    settings = Settings(_env_file=None)
    set_up_logging(settings)
    set_points(History(Path(os.environ[HISTORY_VARIABLE])))
    hurry()
    stopped = asyncio.Event()
    with stop_on_signal(stopped.set):
        async with open_parts(settings) as parts, running_worker(parts, {PLATFORM: ChatClient()}):
            await stopped.wait()


if __name__ == "__main__":
    asyncio.run(main())
