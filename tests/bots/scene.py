"""A chat, a database, and the herald between them; and what can go wrong with each."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from bots.follow import Follower
from bots.herald import Herald
from shared import jobs
from shared.chat.deliver import Deliverer
from shared.chat.pace import Pace
from shared.chat.paced import PacedClient
from shared.database import Database, db_now
from shared.ids import new_id
from shared.jobs import Fence
from shared.links import Links
from shared.models import Job, JobState, Request, Stage
from shared.queue import EmbeddedQueue
from shared.results import JobView, Results
from shared.settings import Settings
from tests.journeys.chat import PLATFORM, RecordingChat
from tests.shared.conftest import an_artifact, end
from tests.sqlite import new_database
from tests.waiting import eventually


class Chat(RecordingChat):
    """Keeps every view shown; the next calls raise `errors`, and all wait while the gate is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.views: list[JobView] = []
        self.errors: list[Exception] = []
        self.waiting = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def _show(self, how: str, request: Request, message: str, view: JobView) -> None:
        self.waiting += 1
        await self.gate.wait()
        self.waiting -= 1
        if self.errors:
            raise self.errors.pop(0)
        await super()._show(how, request, message, view)
        self.views.append(view)

    @property
    def progress(self) -> list[float]:
        """How far the job was that people saw, one by one."""
        return [view.progress["done"] for view in self.views if view.progress]


class Looks(Follower):
    """Counts the herald's looks at jobs; whoever saw a job at `hold_at` waits until `go`."""

    looks = 0
    hold_at: float | None = None
    held: asyncio.Event
    go: asyncio.Event

    async def views(self, job_ids: Sequence[UUID]) -> dict[UUID, JobView]:
        """See `Follower.views`."""
        found = await super().views(job_ids)
        self.looks += 1
        if any(view.progress == {"done": self.hold_at} for view in found.values()):
            self.held.set()
            await self.go.wait()
        return found


@dataclass
class Scene:
    """A database, a chat, and those who show and deliver."""

    database: Database
    chat: Chat
    follower: Looks
    results: Results
    ended: int = 0

    @asynccontextmanager
    async def herald(self, client: PacedClient | None = None, base: float = 0) -> AsyncIterator[PacedClient]:
        """A process with a herald."""
        client = client or PacedClient(self.chat, Pace(lambda _: (), base))
        herald = Herald(self.database, self.follower, PLATFORM, client, self._on_end)
        async with running(herald.run()):
            yield client

    def _on_end(self) -> None:
        self.ended += 1

    def deliverer(self, client: PacedClient) -> Deliverer:
        """Who makes the final edits."""
        return Deliverer(self.database, {PLATFORM: client}, self.results)

    async def job(self, state: JobState = JobState.RUNNING, **values: Any) -> UUID:
        """A job that goes on."""
        job = Job(
            id=new_id(), link="https://a.example", site="a.example", user_key="u", options={}, state=state,
            attempt=1, **values,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(job)
        return job.id

    async def request(self, job_id: UUID, message: str | None = None, chat: str = "c") -> UUID:
        """Somebody who waits for it."""
        request = Request(
            id=new_id(), event_key=str(new_id()), platform=PLATFORM, chat_id=chat, user_id="u",
            job_id=job_id, status_message=message,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(request)
        return request.id

    async def report(self, job_id: UUID, done: float) -> None:
        """The job is so far."""
        async with self.database.write() as session:
            await jobs.report(session, Fence(job_id, 1), Stage.DOWNLOAD, {"done": done})

    async def finish(self, job_id: UUID) -> None:
        """The job is done."""
        async with self.database.write() as session:
            await end(session, Fence(job_id, 1), an_artifact(job_id))

    async def row(self, request_id: UUID) -> Request:
        """The request as it is now."""
        async with self.database.read() as session:
            return await session.get_one(Request, request_id)

    async def shown(self, count: int) -> None:
        """Wait until people have seen so many posts and edits."""

        async def are_shown() -> bool:
            return len(self.chat.shown) >= count

        await eventually(are_shown)

    async def looked(self, times: int = 5) -> None:
        """Wait until the herald has looked so many times more."""
        wanted = self.follower.looks + times

        async def has_looked() -> bool:
            return self.follower.looks >= wanted

        await eventually(has_looked)

    async def posted(self, request_id: UUID) -> str:
        """Wait until the request has a message; which one."""

        async def has_message() -> bool:
            return (await self.row(request_id)).status_message is not None

        await eventually(has_message)
        return str((await self.row(request_id)).status_message)

    async def stuck(self) -> None:
        """Wait until a call waits at the gate."""

        async def is_stuck() -> bool:
            return self.chat.waiting > 0

        await eventually(is_stuck)


@asynccontextmanager
async def running(*runs: Any) -> AsyncIterator[None]:
    """These go on while the block does."""
    tasks = [asyncio.create_task(run) for run in runs]
    try:
        yield
        assert not [task.exception() for task in tasks if task.done()]
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@asynccontextmanager
async def open_scene(folder: Path) -> AsyncIterator[Scene]:
    """Everything a herald needs, on an empty database."""
    database = await new_database(folder)
    results = Results(Settings(_env_file=None, data_dir=folder), Links(["k" * 32]))
    follower = Looks(database, EmbeddedQueue(), results, 60)
    follower.held, follower.go = asyncio.Event(), asyncio.Event()
    yield Scene(database, Chat(), follower, results)
    await database.close()


def hows(scene: Scene) -> list[str]:
    """What people saw, posts and edits in their order."""
    return [line["how"] for line in scene.chat.shown]


async def is_claimed(scene: Scene, request_id: UUID) -> bool:
    async with scene.database.read() as session:
        later = select(Request.id).where(Request.id == request_id, Request.delivery_after > db_now(1))
        return await session.scalar(later) is not None


async def is_delivered(scene: Scene, request_id: UUID) -> bool:
    return (await scene.row(request_id)).delivered_at is not None


class Outage:
    """The next so many transactions fail."""

    def __init__(self, database: Database, patch: pytest.MonkeyPatch, what: str, times: int) -> None:
        self.left = times
        self._real = getattr(database, what)
        patch.setattr(database, what, self._open)

    async def is_over(self) -> bool:
        """Whether the database is back."""
        return self.left == 0

    @asynccontextmanager
    async def _open(self) -> AsyncIterator[Any]:
        if self.left:
            self.left -= 1
            raise OperationalError("SELECT 1", {}, Exception("away")) if self.left % 2 else ConnectionError()
        async with self._real() as session:
            yield session
