"""Puts the parts together, from the settings alone."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import migrations
from bots.follow import Follower
from bots.intake import Intake
from shared import deliveries, jobs
from shared.chat import MessageClient
from shared.database import Database
from shared.keys import load_keys
from shared.links import Links
from shared.outbox import Outbox
from shared.queue import EmbeddedQueue, Queue
from shared.results import Results
from shared.settings import Settings
from shared.storage import Storage
from shared.storage.local import LocalStorage
from worker.attempt import Tools
from worker.child import ChildServer
from worker.deliver import Deliverer
from worker.service import Worker


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
async def open_parts(settings: Settings) -> AsyncIterator[Parts]:
    """Connect, bring the schema up to date, and close everything at the end."""
    await asyncio.to_thread(settings.data_dir.mkdir, parents=True, exist_ok=True)
    database = Database(settings.effective_database_url)
    queue = EmbeddedQueue()
    outbox = Outbox(database, queue)
    storage = LocalStorage(settings.data_dir / "files")
    links = Links(load_keys(settings))
    results = Results(settings, links)
    try:
        await migrations.upgrade(database)
        await queue.start()
        intake = Intake(database, outbox, storage, settings)
        follower = Follower(database, queue, results)
        yield Parts(settings, database, queue, outbox, storage, links, results, intake, follower)
    finally:
        await queue.close()
        await database.close()


@asynccontextmanager
async def running_worker(
    parts: Parts, clients: dict[str, MessageClient] | None = None
) -> AsyncIterator[None]:
    """Carry jobs while the block runs. The caller holds the data folder's lock."""
    async with ChildServer() as children:
        await recover(parts)
        tools = Tools(parts.settings, parts.database, parts.storage, children, parts.queue.publish_event)
        deliverer = Deliverer(parts.database, clients or {}, parts.results)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(Worker(tools, parts.queue, parts.outbox, deliverer).run())
            try:
                yield
            finally:
                task.cancel()


async def recover(parts: Parts) -> None:
    """Pick up what the last process left: nobody else is working, so whatever was under way was lost."""
    async with parts.database.write() as session:
        await jobs.requeue_expired(session, everything=True)
        await deliveries.requeue(session)
    async with parts.database.read() as session:
        waiting = await jobs.queued_ids(session)
    await parts.queue.publish(waiting)
