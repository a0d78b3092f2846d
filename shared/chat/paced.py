"""A message client that keeps a platform's limits: whatever is sent to its chats goes through here."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

from shared.chat.pace import Pace
from shared.chat.port import MessageClient, Throttled
from shared.models import Request
from shared.results import JobView

T = TypeVar("T")

REMEMBERED = 1000  # requests of late whose post and final edit are known: others may still be on their way
PATIENCE = 20.0  # seconds a call may wait for its turn; whatever has to wait longer is tried again later


class PacedClient:
    """One client, one pace. Posts and final edits wait for their turn; progress is offered, latest wins.

    Calls about one message never overlap, and nothing is shown after its final edit.
    """

    def __init__(
        self, client: MessageClient, pace: Pace, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self.pace = pace
        self._posted: OrderedDict[UUID, str] = OrderedDict()
        self._final: OrderedDict[UUID, None] = OrderedDict()
        self._locks: WeakValueDictionary[tuple[str, object], asyncio.Lock] = WeakValueDictionary()

    async def post(self, request: Request, view: JobView) -> str:
        """A new status message; the same one again for a request that got one a moment ago."""
        async with self._lock(request.chat_id, request.id):
            if request.id not in self._posted:
                async with self.turn(request.chat_id):
                    _keep(self._posted, request.id, await self._client.post(request, view))
            return self._posted[request.id]

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """The final edit."""
        async with self._lock(request.chat_id, message):
            async with self.turn(request.chat_id):
                await self._client.edit(request, message, view)
            _keep(self._final, request.id, None)
        self.pace.forget((request.chat_id, message))

    def take_turn(self, request: Request, age: float) -> bool:
        """Whether the request's message may show progress now; then its turn is taken: `show` it."""
        now, message = self._clock(), (request.chat_id, request.status_message)
        if not self.pace.may_show(request.chat_id, message, age, now):
            return False
        self.pace.called(request.chat_id, now, message)
        return True

    def last_shown(self, request: Request) -> float:
        """When its message last showed progress, by the clock; minus infinity: never."""
        return self.pace.last_shown((request.chat_id, request.status_message))

    async def show(self, request: Request, message: str, view: JobView) -> None:
        """Show progress; nothing once the final edit has been made, or when a call is under way."""
        lock = self._lock(request.chat_id, message)
        if lock.locked() or request.id in self._final:
            return
        async with lock, self._holding(request.chat_id):
            await self._client.edit(request, message, view)

    def reopen(self, request_id: UUID) -> None:
        """The request goes on, also after a final edit: its job was started anew."""
        self._final.pop(request_id, None)

    @asynccontextmanager
    async def turn(self, chat: str) -> AsyncIterator[None]:
        """Wait for this chat's turn, and let the block make one call. Raises Throttled when it is far off."""
        while wait := self.pace.wait(chat, self._clock()):
            if wait > PATIENCE:
                raise Throttled(wait)
            await asyncio.sleep(wait)
        self.pace.called(chat, self._clock())
        async with self._holding(chat):
            yield

    @asynccontextmanager
    async def _holding(self, chat: str) -> AsyncIterator[None]:
        try:
            yield
        except Throttled as throttled:
            self.pace.refused(chat, self._clock(), throttled.seconds)
            raise

    def _lock(self, chat: str, what: object) -> asyncio.Lock:
        lock = self._locks.get((chat, what))
        if lock is None:
            lock = self._locks[chat, what] = asyncio.Lock()
        return lock


def _keep(memory: OrderedDict[UUID, T], key: UUID, value: T) -> None:
    memory[key] = value
    while len(memory) > REMEMBERED:
        memory.popitem(last=False)
