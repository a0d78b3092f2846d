"""From the outbox to the queue. Called right after a commit, and by the janitor for what a crash left."""

from shared import jobs
from shared.database import Database
from shared.queue import Queue


async def publish_outbox(database: Database, queue: Queue) -> int:
    """Publish every waiting outbox row, then forget it; returns how many.

    A crash between the two publishes a row twice, which is harmless: the claim decides.
    """
    async with database.read() as session:
        rows = await jobs.unpublished(session)
    if not rows:
        return 0
    await queue.publish([row.job_id for row in rows])
    async with database.write() as session:
        await jobs.published(session, [row.id for row in rows])
    return len(rows)
