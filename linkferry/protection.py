"""Inside ECS: a worker that carries jobs says so, and ECS stops one that stands still instead.

A task's folder ends with the task, so jobs that ECS stops begin anew. Needs ecs:UpdateTaskProtection; no job
fails because the agent does not listen.
"""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from shared.beside import beside

log = logging.getLogger(__name__)

AGENT = "ECS_AGENT_URI"  # the variable in which ECS tells each container where its agent is
LOOK = 20.0  # seconds between two looks at the worker
RENEWAL = 60.0  # seconds
EXPIRY = 5  # minutes: a worker that hangs is soon free to be stopped
LONGEST = 2 * 3600.0  # seconds of work at a stretch: a deployment waits for protected tasks, and has to end
PAUSE = 600.0  # seconds after those, in which ECS may stop it
PATIENCE = 10.0  # seconds the agent may take: it asks AWS


@asynccontextmanager
async def protecting(agent: str, is_busy: Callable[[], bool]) -> AsyncIterator[None]:
    """Be protected whenever this worker is busy, while the block runs. Without an `agent`, do nothing."""
    if not agent:
        yield
        return
    async with beside(Protection(agent, is_busy).run()):
        yield


class Protection:
    """What ECS was told about this task."""

    def __init__(self, agent: str, is_busy: Callable[[], bool]) -> None:
        self._agent = agent
        self._is_busy = is_busy
        self._busy_since: float | None = None
        self._is_on = False
        self._renewal = 0.0

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self.look(time.monotonic())
            await asyncio.sleep(LOOK)

    async def look(self, now: float) -> None:
        """Tell ECS what is new. What it did not hear is told again, or expires. Never raises."""
        wanted = self._wanted(now)
        if wanted == self._is_on and (not wanted or now < self._renewal):
            return
        self._is_on, self._renewal = wanted, now + RENEWAL
        try:
            await asyncio.to_thread(tell, self._agent, is_on=wanted)
        except (OSError, HTTPException, ValueError) as error:
            log.warning("ECS may stop this worker while it carries jobs: %s", error)

    def _wanted(self, now: float) -> bool:
        if not self._is_busy():
            self._busy_since = None
            return False
        if self._busy_since is None or now >= self._busy_since + LONGEST + PAUSE:
            self._busy_since = now
        return now < self._busy_since + LONGEST


def tell(agent: str, *, is_on: bool) -> None:
    """Turn this task's protection on or off. Raises OSError, HTTPException or ValueError."""
    address = urlsplit(agent)
    words = {"ProtectionEnabled": is_on} | ({"ExpiresInMinutes": EXPIRY} if is_on else {})
    connection = HTTPConnection(address.netloc, timeout=PATIENCE)
    try:
        path = f"{address.path}/task-protection/v1/state"
        connection.request("PUT", path, json.dumps(words), {"Content-Type": "application/json"})
        said = connection.getresponse().read(2000)
    finally:
        connection.close()
    if b'"protection"' not in said:  # but a failure or an error, whatever the status
        raise ValueError(said.decode(errors="replace"))
