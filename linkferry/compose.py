"""Puts the parts together, from the settings alone."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass

from sqlalchemy import text

import migrations
from bots.follow import Follower
from bots.intake import Intake
from linkferry.protection import AGENT, protecting
from shared import deliveries, jobs
from shared.beside import beside
from shared.chat import MessageClient
from shared.chat.deliver import Deliverer
from shared.database import Database
from shared.errors import ConfigError
from shared.keys import load_keys
from shared.links import Links
from shared.outbox import Outbox
from shared.queue import Queue, open_queue
from shared.results import Results
from shared.settings import Settings
from shared.storage import Storage, open_storage
from worker.child import ChildServer
from worker.service import Worker
from worker.sweep import Kind, sweep
from worker.tools import Tools


@dataclass(frozen=True)
class Parts:
    """Everything that both sides share, ready to use."""

    settings: Settings
    database: Database
    queue: Queue
    outbox: Outbox
    storage: Storage
    links: Links
    results: Results
    intake: Intake
    follower: Follower


@asynccontextmanager
async def open_parts(settings: Settings, patience: float | None = None) -> AsyncIterator[Parts]:
    """Connect, bring the schema up to date, and close everything at the end.

    A queue that does not answer is waited for, or for `patience` seconds; what then needs it says that it is
    unavailable. 0 does without it.
    """
    await asyncio.to_thread(settings.data_dir.mkdir, 0o700, parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    queue = open_queue(settings.queue_url)
    outbox = Outbox(database, queue)
    storage = await open_storage(settings)
    links = Links(load_keys(settings))
    results = Results(settings, links, storage.links_end)
    try:
        await migrations.upgrade(database)
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await queue.start()
        intake = Intake(database, outbox, storage, settings)
        follower = Follower(database, queue, results, settings.lease)
        yield Parts(settings, database, queue, outbox, storage, links, results, intake, follower)
    finally:
        await queue.close()
        await database.close()


@asynccontextmanager
async def running_worker(
    parts: Parts, clients: dict[str, MessageClient] | None = None
) -> AsyncIterator[Deliverer]:
    """Carry jobs and bring results to these clients, which may become more, while the block runs.

    With the embedded queue, the caller holds the data folder's lock.

    At the end running jobs get `drain_timeout`, when another worker could otherwise have to start them anew;
    a lone process hands them back at once, and goes on with them at its next start.
    """
    settings = parts.settings
    async with AsyncExitStack() as stack, ChildServer(settings.data_dir.resolve() / "warm") as children:
        if settings.is_embedded:
            await stack.enter_async_context(alone(parts.database))
            await recover(parts)
        tools = Tools(settings, parts.database, parts.storage, children, parts.queue.publish_event)
        deliverer = Deliverer(parts.database, {} if clients is None else clients, parts.results)
        worker = Worker(tools, parts.queue, parts.outbox, deliverer)
        await stack.enter_async_context(protecting(os.environ.get(AGENT, ""), lambda: tools.slots.is_busy))
        async with asyncio.TaskGroup() as group:
            task = group.create_task(worker.run())
            try:
                yield deliverer
            finally:
                worker.stop(0 if settings.is_embedded else settings.drain_timeout)
                await task  # a second stop cancels this, and so the worker: it hands everything back at once


@asynccontextmanager
async def delivering(parts: Parts, clients: dict[str, MessageClient]) -> AsyncIterator[Deliverer]:
    """Bring results to these clients, which may become more, while the block runs; others do the work."""
    deliverer = Deliverer(parts.database, clients, parts.results)
    async with beside(deliverer.run()):
        yield deliverer


@asynccontextmanager
async def alone(database: Database) -> AsyncIterator[None]:
    """Be the only embedded service on this database. The folder's lock proves that for SQLite only."""
    if database.is_sqlite:
        yield
        return
    async with database.connection() as connection:
        await connection.execution_options(isolation_level="AUTOCOMMIT")  # held for long, so no transaction
        if not await connection.scalar(text("SELECT pg_try_advisory_lock(7118003)")):
            raise ConfigError(
                "Another linkferry with the embedded queue works on this database; "
                "set LINKFERRY_QUEUE_URL to a RabbitMQ server to run more than one."
            )
        yield


async def recover(parts: Parts) -> None:
    """Pick up what the last process left: nobody else is working, so whatever was under way was lost."""
    async with parts.database.write() as session:
        await jobs.requeue_expired(session, everything=True)
        await deliveries.requeue(session)
    async with parts.database.read() as session:
        waiting = await jobs.queued_ids(session)
    await parts.queue.publish(waiting)
    async for _ in sweep(parts, [Kind.WORK]):
        pass
