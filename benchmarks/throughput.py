"""Jobs a second through everything but the download, on RabbitMQ and PostgreSQL.

    .venv/bin/python -m benchmarks.throughput [--jobs N] [--workers N]

One process takes requests in (intake, outbox, publish), others claim, finish and deliver; the child is
replaced by one that is done at once, and the chat by one that says yes. Then, one request at a time: how long
an idle service takes from intake to claim. Last: what a claim costs with 10 and with 10 000 queued jobs.
"""

import argparse
import asyncio
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.synchronize import Event
from pathlib import Path
from uuid import UUID

import uvloop
from sqlalchemy import func, select, text

import worker.service
from bots.intake import Origin
from linkferry.compose import Parts, open_parts
from shared import jobs
from shared.chat.deliver import Deliverer
from shared.jobs import Ending, Fence
from shared.link import Link
from shared.models import Artifact, ArtifactKind, Delivery, Job, OutboxRow, Request
from shared.options import Options
from shared.results import JobView
from shared.settings import Settings
from tests.services import private_postgres, private_rabbit
from worker.service import Worker
from worker.tools import Tools

AIM, LEAST = 500, 250  # jobs a second
IDLE_AIM = 20  # ms from intake to claim
GROWTH_AIM = 1.5  # times a claim may cost more with a thousand times the backlog
PATIENCE = 120  # seconds
HOUR = 3600.0  # seconds


class Yes:
    """A chat that shows everything at once."""

    async def post(self, request: Request, view: JobView) -> str:
        return "1"

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        return None


class Warm:
    """Stands for the child processes, which are not measured here: none is ever asked for."""

    is_warm = True


async def done_at_once(
    job: Job, tools: Tools, stop: asyncio.Event, earlier: asyncio.Task[None] | None
) -> None:
    """An attempt without a download: one artifact, and the job is done."""
    artifact = Artifact(
        job_id=job.id, kind=ArtifactKind.VIDEO, format="mp4", file_name="a.mp4", content_type="video/mp4",
        storage_key=f"{job.id}/a.mp4", size=1, sha256="0" * 64,
    )  # fmt: skip
    await tools.finish(Ending(Fence(job.id, job.attempt), [artifact], HOUR))


def main() -> int:
    """Measure and print; 0 when the least is reached."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="linkferry-throughput-") as folder:
        rabbit, postgres = private_rabbit(), private_postgres()  # they end with this process
        rabbit.start()
        postgres.start()
        settings = Settings(
            data_dir=Path(folder), queue_url=rabbit.url, max_concurrent_downloads=16,
            database_url=postgres.url(postgres.create_database()),
        )  # fmt: skip
        return uvloop.run(measure(settings, arguments.jobs, arguments.workers))


async def measure(settings: Settings, count: int, workers: int) -> int:
    """All three measures, on the same servers."""
    async with open_parts(settings) as parts:
        publishing = asyncio.create_task(parts.outbox.run())
        with worker_processes(settings, workers):
            await submit(parts, "warm", 100)
            await finished(parts, 100)
            start = time.perf_counter()
            await submit(parts, "load", count)
            taken_in = time.perf_counter() - start
            await finished(parts, 100 + count)
            rate = count / (time.perf_counter() - start)
            print(f"jobs, intake to delivery        {rate:6.0f} a second   (aim {AIM}, at least {LEAST})")
            print(f"requests taken in meanwhile     {count / taken_in:6.0f} a second")
            idle = await idle_latency(parts)
        growth = await backlog_cost(parts)
        publishing.cancel()
    return 0 if rate >= LEAST and idle <= IDLE_AIM and growth <= GROWTH_AIM else 1


async def submit(parts: Parts, name: str, count: int) -> None:
    """So many different links of seven people, sixteen at a time."""
    gate = asyncio.Semaphore(16)

    async def one(number: int) -> None:
        origin = Origin("bench", "chat", f"person-{number % 7}", f"{name}:{number}")
        async with gate:
            await parts.intake.submit(
                Link(f"https://a.example/{name}/{number}", "a.example"), Options(), origin
            )

    async with asyncio.TaskGroup() as group:
        for number in range(count):
            group.create_task(one(number))


async def finished(parts: Parts, count: int) -> None:
    """Until so many requests have been delivered."""
    query = select(func.count()).select_from(Request).where(Request.delivery == Delivery.DELIVERED)
    async with asyncio.timeout(PATIENCE):
        while True:
            async with parts.database.read() as session:
                if (await session.scalar(query) or 0) >= count:
                    return
            await asyncio.sleep(0.05)


async def idle_latency(parts: Parts) -> float:
    """Median ms from the request's row to the claim, by the database's clock, one request at a time."""
    waits = []
    for number in range(50):
        origin = Origin("bench", "chat", "patient", f"idle:{number}")
        link = Link(f"https://a.example/idle/{number}", "a.example")
        asked = await parts.intake.submit(link, Options(), origin)
        waits.append(await claimed_after(parts, asked.job_id))
    median = statistics.median(waits)
    print(f"intake to claim, idle           {median:6.1f} ms median   (aim: at most {IDLE_AIM})")
    return median


async def claimed_after(parts: Parts, job_id: UUID) -> float:
    """How long the job waited, in ms, once it has been claimed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            await asyncio.sleep(0.03)
            async with parts.database.read() as session:
                job = await session.get_one(Job, job_id)
            if job.started_at is not None and job.finished_at is not None:
                return (job.started_at - job.created_at).total_seconds() * 1000


async def backlog_cost(parts: Parts) -> float:
    """How many times more a claim costs with 10 000 queued jobs than with 10, in turns; and memory."""
    await submit(parts, "backlog", 10)
    await published(parts)
    before, small = memory(), await claim_cost(parts)
    await submit(parts, "deep", 10_000)
    await published(parts)
    async with parts.database.engine.connect() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")
        await connection.execute(text("ANALYZE jobs"))
    large, after = await claim_cost(parts), memory()
    growth = large / small
    costs = f"{small:6.2f} and {large:.2f} ms"
    print(f"a claim, 10 and 10 000 queued   {costs}   ratio {growth:.2f}   (aim {GROWTH_AIM})")
    print(f"memory of this process          {before:6.0f} MB and {after:.0f} MB   ratio {after / before:.2f}")
    return max(growth, after / before)


async def published(parts: Parts) -> None:
    """Until the queue knows of every job: a claim is not to be timed beside thousands of publishes."""
    async with asyncio.timeout(PATIENCE):
        while True:
            async with parts.database.read() as session:
                if not await session.scalar(select(func.count()).select_from(OutboxRow)):
                    return
            await asyncio.sleep(0.05)


async def claim_cost(parts: Parts) -> float:
    """Median ms of a claim that is handed back, so that the backlog stays as it is."""
    times = []
    for _ in range(60):
        start = time.perf_counter()
        async with parts.database.write() as session:
            job = await jobs.claim(session, "bench", parts.settings)
        times.append((time.perf_counter() - start) * 1000)
        if job is None:
            raise SystemExit("there was nothing to claim")
        async with parts.database.write() as session:
            await jobs.set_aside(session, Fence(job.id, job.attempt), -1)
            await jobs.requeue_due(session)
    return statistics.median(times)


def memory() -> float:
    """The most memory this process has used so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


@contextmanager
def worker_processes(settings: Settings, count: int) -> Iterator[None]:
    """So many workers with instant attempts, in processes of their own."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    running = [context.Process(target=work, args=(settings.model_dump(), stop)) for _ in range(count)]
    for process in running:
        process.start()
    try:
        yield
    finally:
        stop.set()
        for process in running:
            process.join(20)


def work(values: dict[str, object], stop: Event) -> None:
    """One worker process."""

    async def run() -> None:
        settings = Settings.model_validate(values)
        async with open_parts(settings) as parts:
            tools = Tools(settings, parts.database, parts.storage, Warm(), parts.queue.publish_event)  # type: ignore[arg-type]
            deliverer = Deliverer(parts.database, {"bench": Yes()}, parts.results)
            worker.service.supervise = done_at_once  # what an attempt does is not measured here
            working = Worker(tools, parts.queue, parts.outbox, deliverer)
            running = asyncio.create_task(working.run())
            await asyncio.to_thread(stop.wait)
            working.stop(1)
            await running

    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    uvloop.run(run())


if __name__ == "__main__":
    sys.exit(main())
