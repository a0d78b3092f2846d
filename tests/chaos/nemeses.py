"""What goes wrong: one nemesis at a time, in an order and at moments that the seed decides."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable

from tests.chaos.chat import Mood
from tests.chaos.cluster import LEASE, Cluster, Member
from tests.chaos.evidence import running_jobs
from tests.chaos.history import say
from tests.chaos.publisher_main import UNPUBLISHED
from tests.chaos.worker_main import POINTS

MISSED = "not reached"
GAP = (0.8, 2.5)  # seconds between two nemeses
REACH = 5.0  # seconds until one must have come to the point where it dies
DOWN = (0.5, 2.0)  # seconds something stays away; less than a lease, so that jobs outlive it


class Nemeses:
    """Goes through all of them in a shuffled order, again and again until told to stop."""

    def __init__(self, cluster: Cluster, seed: int) -> None:
        self._cluster = cluster
        self._chance = random.Random(f"nemeses {seed}")
        self.done: list[str] = []
        self._all: dict[str, Callable[[], Awaitable[bool]]] = {
            **{f"a worker is killed {point}": self._killer(point) for point in POINTS},
            "a worker is frozen past its lease": self._freeze,
            "a worker is stopped in good order": self._restart,
            "the broker stops and starts": lambda: self._broker(signal.SIGTERM),
            "the broker is killed and starts": lambda: self._broker(signal.SIGKILL),
            "the broker's connections are cut": self._cut_broker,
            "the database stops and starts": self._database,
            "the database stays away for longer than a lease": self._long_outage,
            "the database's connections are cut": self._cut_database,
            f"the publisher is killed {UNPUBLISHED}": self._killer(UNPUBLISHED),
            "the chat applies calls and drops the answers": lambda: self._chat(Mood.DROPS),
            "the chat is down": lambda: self._chat(Mood.DOWN),
        }

    async def run(self, seconds: float, limit: float) -> None:
        """Each at least once, and at least for so many seconds, but never longer than `limit`."""
        begin = time.monotonic()
        while True:
            names = list(self._all)
            self._chance.shuffle(names)
            for name in names:
                elapsed = time.monotonic() - begin
                if elapsed > limit or (elapsed > seconds and len(self.done) >= len(self._all)):
                    return
                await asyncio.sleep(self._chance.uniform(*GAP))
                self._cluster.revive()
                began = time.monotonic()
                happened = await self._all[name]()
                took = time.monotonic() - began
                self.done.append(name if happened else f"{MISSED}: {name}")
                say(f"{began - begin:6.1f} s  {self.done[-1]} ({took:.1f} s)")

    @property
    def happened(self) -> int:
        """How many did what they are named after."""
        return len([name for name in self.done if not name.startswith(MISSED)])

    def _pause(self) -> float:
        return self._chance.uniform(*DOWN)

    def _killer(self, point: str) -> Callable[[], Awaitable[bool]]:
        async def kill() -> bool:
            victim = await self._cluster.kill_first(point, REACH)
            if victim is None:
                return False
            await asyncio.sleep(self._pause())
            await self._revive(victim)
            return True

        return kill

    async def _freeze(self) -> bool:
        """The worker alone, as a machine that swaps: its children go on."""
        victim = await self._busy_worker()
        victim.send(signal.SIGSTOP)
        try:
            jobs = await running_jobs(self._cluster.database_url, victim.pids[-1])
            self._cluster.history.note("hit", how="frozen", pid=victim.pids[-1], jobs=jobs)
            await asyncio.sleep(LEASE + LEASE / 6 + self._pause())
        finally:
            victim.send(signal.SIGCONT)
        return bool(jobs)

    async def _revive(self, victim: Member) -> None:
        victim.start()
        await self._cluster.ready(victim)

    async def _restart(self) -> bool:
        """As a deployment does; it hands back what it cannot end in time."""
        victim = await self._busy_worker()
        code = await victim.stop()
        if code:
            self._cluster.surprises.append(f"{victim.name} was stopped and ended with {code}")
        await self._revive(victim)
        return True

    async def _busy_worker(self) -> Member:
        """One with jobs, if there is any."""
        workers = self._chance.sample(self._cluster.workers, len(self._cluster.workers))
        for worker in workers:
            if await running_jobs(self._cluster.database_url, worker.pids[-1]):
                return worker
        return workers[0]

    async def _broker(self, how: int) -> bool:
        rabbit = self._cluster.rabbit
        await asyncio.to_thread(rabbit.kill if how == signal.SIGKILL else rabbit.stop)
        await asyncio.sleep(self._pause())
        await asyncio.to_thread(self._cluster.start_broker)
        return True

    async def _cut_broker(self) -> bool:
        proxy = self._cluster.to_broker
        proxy.refusing = True
        proxy.cut()
        await asyncio.sleep(self._pause())
        proxy.refusing = False
        return True

    async def _database(self) -> bool:
        await asyncio.to_thread(self._cluster.postgres.stop)
        await asyncio.sleep(self._pause())
        await asyncio.to_thread(self._cluster.start_database)
        return True

    async def _long_outage(self) -> bool:
        """Nobody can renew, so every running job is lost to its worker: for each that counts as a crash."""
        url = self._cluster.database_url
        jobs = set(await running_jobs(url))
        await asyncio.to_thread(self._cluster.postgres.stop)
        await asyncio.sleep(LEASE + self._pause())
        await asyncio.to_thread(self._cluster.start_database)
        jobs.update(await running_jobs(url))  # claimed in the moment before
        self._cluster.history.note("hit", how="outage", jobs=sorted(jobs))
        return True

    async def _cut_database(self) -> bool:
        self._cluster.to_database.cut()
        return True

    async def _chat(self, mood: Mood) -> bool:
        chat = self._cluster.chat
        before = chat.dropped
        chat.mood = mood
        await asyncio.sleep(1.0 + self._pause())
        chat.mood = Mood.UP
        return mood is Mood.DOWN or chat.dropped > before
