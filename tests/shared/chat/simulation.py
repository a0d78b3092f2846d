"""Hours of a busy bot in virtual time: the real herald, paced client and pace, against a strict platform.

Made up are the rows of the database, the deliverer's rounds, and the platform: it counts every call when it
arrives, over any span as long as its limit says, and answers 429 to each one too many.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, cast
from uuid import UUID

from bots.follow import Follower
from bots.herald import Herald
from shared.chat.deliver import LOOK_INTERVAL, PARALLEL
from shared.chat.pace import Pace, Window
from shared.chat.paced import PacedClient
from shared.chat.port import Throttled
from shared.chat.slack.chats import chat_id
from shared.chat.slack.chats import place as slack_place
from shared.chat.slack.chats import windows as slack_windows
from shared.chat.telegram.client import windows as telegram_windows
from shared.database import Database
from shared.models import JobState, Request, Stage
from shared.results import JobView
from tests.shared.chat.virtual import run_virtually, virtual_now

WAY, JITTER = 0.1, 0.2  # seconds a call takes to the platform: at least, and at most so much more


@dataclass(frozen=True)
class Limit:
    """What a platform really counts: at most `calls` of the same scope in any `seconds`."""

    scope: Hashable
    calls: int
    seconds: float


Limits = Callable[[str], Sequence[Limit]]


@dataclass
class Asked:
    """Somebody's job: asked for, and over, at these times; `told` is when its final edit arrived."""

    request: Request
    asked: float
    ends: float
    told: float | None = None

    def view(self, now: float) -> JobView:
        """How it is doing; news every second."""
        is_over = now >= self.ends
        return JobView(
            job_id=self.request.job_id,
            state=JobState.DONE if is_over else JobState.RUNNING,
            stage=None if is_over else Stage.DOWNLOAD,
            progress={"done": min(now, self.ends) - self.asked},
            position=None, starts_in=None, retry_in=None, title=None, duration_seconds=None, note=None,
            artifacts=(), offers=None, error=None,
        )  # fmt: skip


@dataclass
class Platform:
    """A `MessageClient`: what arrived, what was refused, and what each message showed, oldest first."""

    limits: Limits
    chance: Random
    rest: tuple[float, float] = (0.0, 0.0)  # from, until: everything is refused
    arrivals: list[tuple[float, str]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    shown: dict[str, list[tuple[float, JobView]]] = field(default_factory=dict)
    _counted: dict[Limit, deque[float]] = field(default_factory=dict)

    async def post(self, request: Request, view: JobView) -> str:
        """See `MessageClient.post`."""
        message = f"{request.chat_id}/{len(self.shown)}"
        self.shown[message] = []
        await self._call(request, message, view)
        return message

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """See `MessageClient.edit`."""
        await self._call(request, message, view)

    async def _call(self, request: Request, message: str, view: JobView) -> None:
        await asyncio.sleep(WAY + self.chance.uniform(0, JITTER))
        now = virtual_now()
        if wait := max(self._over(limit, now) for limit in self.limits(request.chat_id)):
            self.refused.append(now)
            raise Throttled(wait)
        if self.rest[0] <= now < self.rest[1]:
            self.refused.append(now)
            raise Throttled(self.rest[1] - now)
        for limit in self.limits(request.chat_id):
            self._counted[limit].append(now)
        self.arrivals.append((now, request.chat_id))
        self.shown[message].append((now, view))
        await asyncio.sleep(WAY)

    def _over(self, limit: Limit, now: float) -> float:
        """Seconds until the limit has room; 0: it has."""
        counted = self._counted.setdefault(limit, deque())
        while counted and counted[0] <= now - limit.seconds:
            counted.popleft()
        return counted[0] + limit.seconds - now if len(counted) >= limit.calls else 0.0


class Rows:
    """The database and the follower, as far as the herald knows them."""

    def __init__(self, jobs: Sequence[Asked]) -> None:
        self._jobs = {job.request.job_id: job for job in jobs}
        self._requests = {job.request.id: job.request for job in jobs}

    @asynccontextmanager
    async def read(self) -> AsyncIterator["Rows"]:
        """A session."""
        yield self

    write = read

    async def scalars(self, _: object, values: dict[str, Any]) -> list[Request]:
        """`deliveries.unfinished`; the rows' clock is the wall's, so their age is told by it."""
        now, wall = virtual_now(), datetime.now(UTC)
        active = [job for job in self._jobs.values() if job.asked <= now < job.ends]
        for job in active:
            job.request.created_at = wall - timedelta(seconds=now - job.asked)
        active.sort(key=lambda job: (job.request.status_message is not None, job.asked))
        return [job.request for job in active[: values["most"]]]

    async def scalar(self, _: object) -> bool:
        """`deliveries.claim_post`: there is one herald only."""
        return True

    async def execute(self, _: object, values: dict[str, Any] | None = None) -> None:
        """`deliveries.posted`; `deliveries.release_post` changes nothing here."""
        if values is not None:
            self._requests[values["which"]].status_message = values["message"]

    async def views(self, job_ids: Sequence[UUID]) -> dict[UUID, JobView]:
        """`Follower.views`."""
        return {job_id: self._jobs[job_id].view(virtual_now()) for job_id in job_ids}


@dataclass(frozen=True)
class Scenario:
    """Chats, what is asked for in them, and the platform's limits beside the windows we keep."""

    jobs: int
    chats: Sequence[str]
    asked_until: float
    ends_after: float
    over: float  # all seconds from the first link to the last end
    limits: Limits
    windows: Callable[[str], Sequence[Window]]
    place: Callable[[str], Hashable] = lambda chat: chat
    rest: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True)
class Outcome:
    """What came of it."""

    jobs: Sequence[Asked]
    platform: Platform

    @property
    def late(self) -> list[float]:
        """Seconds from the end of each job to its final edit, shortest first."""
        return sorted(job.told - job.ends for job in self.jobs if job.told is not None)

    @property
    def progress(self) -> int:
        """How many edits showed progress."""
        edits = [view for shown in self.platform.shown.values() for _, view in shown[1:]]
        return sum(view.state.is_active for view in edits)

    def most(self, seconds: float) -> int:
        """The most calls that arrived in any span this long."""
        times = [when for when, _ in self.platform.arrivals]
        first = most = 0
        for last, when in enumerate(times):
            while times[first] <= when - seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


def simulate(scenario: Scenario, seed: int = 7) -> Outcome:
    """Let it all happen."""
    return run_virtually(_simulate(scenario, Random(seed)))


async def _simulate(scenario: Scenario, chance: Random) -> Outcome:
    jobs = sorted((_ask(scenario, chance, number) for number in range(scenario.jobs)), key=lambda j: j.asked)
    platform = Platform(scenario.limits, chance, scenario.rest)
    client = PacedClient(platform, Pace(scenario.windows, base=3.0, place=scenario.place), virtual_now)
    rows = Rows(jobs)
    herald = Herald(cast(Database, rows), cast(Follower, rows), "simulated", client)
    slots = asyncio.Semaphore(PARALLEL)
    async with asyncio.TaskGroup() as group:
        heralding = group.create_task(herald.run())
        await asyncio.gather(*(_deliver(job, client, slots) for job in jobs))
        heralding.cancel()
    return Outcome(jobs, platform)


def _ask(scenario: Scenario, chance: Random, number: int) -> Asked:
    asked = chance.uniform(0, scenario.asked_until)
    request = Request(
        id=UUID(int=number), job_id=UUID(int=number), event_key=str(number), platform="simulated",
        chat_id=scenario.chats[number % len(scenario.chats)], user_id="u", status_message=None,
    )  # fmt: skip
    return Asked(request, asked, chance.uniform(max(asked, scenario.ends_after) + 5, scenario.over))


async def _deliver(job: Asked, client: PacedClient, slots: asyncio.Semaphore) -> None:
    """What the deliverer does with a job that ended, in rounds as far apart as its looks."""
    await asyncio.sleep(job.ends - virtual_now())
    while True:
        try:
            async with slots:
                message = job.request.status_message or await client.post(job.request, job.view(job.asked))
                job.request.status_message = message
                await client.edit(job.request, message, job.view(virtual_now()))
                job.told = virtual_now()
                return
        except Throttled as throttled:
            rounds = throttled.seconds // LOOK_INTERVAL + 1
            await asyncio.sleep(rounds * LOOK_INTERVAL)


def telegram_limits(chat: str) -> Sequence[Limit]:
    """As published: 30 a second overall, 1 a second in a chat, 20 a minute in a group."""
    limits = [Limit("all", 30, 1.0), Limit(("second", chat), 1, 1.0)]
    return [*limits, Limit(("minute", chat), 20, 60.0)] if chat.startswith("-") else limits


def slack_limits(chat: str) -> Sequence[Limit]:
    """50 edits a minute in a workspace, 1 post a second in a channel; stricter: all calls count as both."""
    return [Limit("workspace", 50, 60.0), Limit(chat, 1, 1.0)]


HOUR = 3600.0
CHANNELS = [chat_id("T1", f"C{number}") for number in range(12)]
MIXED = [f"-{number}" for number in range(80)] + [f"{number}" for number in range(120)]

SCENARIOS = {
    "100 jobs in a Telegram group": Scenario(
        100, ["-1"], HOUR * 0.8, 0, HOUR, telegram_limits, telegram_windows
    ),
    "100 jobs in a private chat": Scenario(
        100, ["1"], HOUR * 0.8, 0, HOUR, telegram_limits, telegram_windows
    ),
    "400 jobs in 200 Telegram chats": Scenario(
        400, MIXED, HOUR / 6, 0, HOUR / 4, telegram_limits, telegram_windows
    ),
    "60 jobs in a Slack workspace": Scenario(
        60, CHANNELS, 60.0, 900.0, HOUR, slack_limits, slack_windows, slack_place
    ),
}
