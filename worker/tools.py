"""What every attempt of a worker shares: the ports, the limits, and what is made once for all."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from uuid import UUID

from shared import jobs
from shared.database import Database
from shared.jobs import Ending, LeaseLost
from shared.keys import load_keys
from shared.links import MAX_TTL, Links
from shared.settings import Settings
from shared.storage import Storage
from shared.together import Together
from worker.child import ChildServer
from worker.room import Room
from worker.slots import Slots
from worker.speech import Speech


@dataclass(frozen=True)
class Tools:
    """What every attempt of a worker shares."""

    settings: Settings
    database: Database
    storage: Storage
    children: ChildServer
    report: Callable[[UUID, dict[str, object]], Awaitable[None]]  # progress events for watchers

    async def finish(self, ending: Ending) -> None:
        """Write that an attempt ended well, with all that end in the same moment. Raises LeaseLost."""
        if not await self._endings.write(ending):
            raise LeaseLost(f"job {ending.fence.job_id} attempt {ending.fence.attempt}")

    def watch_url(self, job_id: UUID) -> str:
        """The page that will show a job, as long as its files are kept and a link may live.

        Not only for `link_ttl`: it stands in a transcript, which somebody may be given days later.
        """
        lives = max(1, min(self.settings.retention, MAX_TTL))
        return self._links.watch_url(self.settings.effective_public_url, job_id, lives)

    @cached_property
    def _links(self) -> Links:
        return Links(load_keys(self.settings))

    @cached_property
    def slots(self) -> Slots:
        """Places for attempts."""
        return Slots(self.settings.max_concurrent_downloads)

    @cached_property
    def speech(self) -> Speech:
        """Speech recognition, which has a limit for the whole worker."""
        return Speech(self.settings)

    @cached_property
    def room(self) -> Room:
        """Room on the disks, which all share."""
        return Room(self.settings)

    @cached_property
    def _endings(self) -> Together[Ending, bool]:
        return Together(self.database, jobs.finish_many, patience=self.settings.lease)
