"""A message client that keeps a platform's limits: whatever is sent to its chats goes through here."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Hashable
from contextlib import asynccontextmanager
from uuid import UUID

from shared import tracing
from shared.chat.pace import Pace
from shared.chat.port import MessageClient, Throttled
from shared.locks import Locks
from shared.metrics import CHAT_EDITS, CHAT_POSTS, CHAT_REFUSALS
from shared.models import Request
from shared.recent import Recent
from shared.results import JobView

REMEMBERED = 1000  # requests of late whose post and final edit are known: others may still be on their way
PATIENCE = 5.0  # seconds a call may wait for its turn; whatever has to wait longer is tried again later


class PacedClient:
    """One client, one pace. Posts and final edits wait in line for their turn; progress is offered, latest
    wins, and stands back while anything waits.

    Calls about one message never overlap, and nothing is shown after its final edit. `clock` gives the
    seconds that `asyncio.sleep` lets pass; `platform` is what the metrics call it.
    """

    def __init__(
        self,
        client: MessageClient,
        pace: Pace,
        clock: Callable[[], float] = time.monotonic,
        platform: str = "",
    ) -> None:
        self._client = client
        self._clock = clock
        self._platform = platform
        self.pace = pace
        self._posted: Recent[tuple[str, UUID], str] = Recent(REMEMBERED)  # a chat that moves gets a new one
        self._final: Recent[UUID, None] = Recent(REMEMBERED)
        self._locks = Locks()
        self._waiting: Counter[Hashable] = Counter()  # how many stand in line, by place

    async def post(self, request: Request, view: JobView) -> str:
        """A new status message; the same one again for a request that got one a moment ago."""
        asked = (request.chat_id, request.id)
        async with self._locks.of(asked):
            if asked not in self._posted:
                async with self.turn(request.chat_id):
                    with tracing.span("post", request.traceparent, "client", request_id=request.id):
                        self._posted[asked] = await self._client.post(request, view)
                CHAT_POSTS.labels(self._platform).inc()
            return self._posted[asked]

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """The final edit."""
        async with self._locks.of((request.chat_id, message)):
            async with self.turn(request.chat_id):
                with tracing.span("edit", kind="client", request_id=request.id):
                    await self._client.edit(request, message, view)
            CHAT_EDITS.labels(self._platform).inc()
            self._final[request.id] = None

    def take_turn(self, request: Request, age: float) -> bool:
        """Whether the request's message may show progress now; then its turn is taken: `show` it.

        `age`: seconds since it was asked for.
        """
        now, chat = self._clock(), request.chat_id
        if self._waiting[self.pace.place(chat)] or not self.pace.may_show(chat, request.id, age, now):
            return False
        self.pace.called(chat, now, request.id)
        return True

    def last_shown(self, request: Request) -> float:
        """When it last showed progress, by the clock; minus infinity: never."""
        return self.pace.last_shown(request.id)

    async def show(self, request: Request, message: str, view: JobView) -> bool:
        """Show progress; False, and nothing, once the final edit was made or while a call is under way."""
        lock = self._locks.of((request.chat_id, message))
        if lock.locked() or request.id in self._final:
            return False
        async with lock, self._holding(request.chat_id):
            await self._client.edit(request, message, view)
        CHAT_EDITS.labels(self._platform).inc()
        return True

    def reopen(self, request_id: UUID) -> None:
        """The request goes on, also after a final edit: its job was started anew."""
        self._final.pop(request_id, None)

    def forget(self, request_id: UUID) -> None:
        """The request shows no progress any more."""
        self.pace.forget(request_id)

    @asynccontextmanager
    async def turn(self, chat: str, patience: float = PATIENCE) -> AsyncIterator[None]:
        """Wait for this chat's turn, and let the block make one call.

        Raises Throttled when the turn is more than `patience` seconds off.
        """
        place = self.pace.place(chat)
        self._look_ahead(chat, patience, self._waiting[place])
        self._waiting[place] += 1
        try:
            async with self._locks.of((place, None)):  # first come, first served
                while wait := self._look_ahead(chat, patience):  # noqa: ASYNC110 - the wait is known
                    await asyncio.sleep(wait)
                self.pace.called(chat, self._clock())
        finally:
            self._waiting[place] -= 1
            self._waiting += Counter()  # keeps only those that stand in line
        async with self._holding(chat):
            yield

    def _look_ahead(self, chat: str, patience: float, ahead: int = 0) -> float:
        """Seconds until the chat's turn, after so many others. Raises Throttled when that is too long."""
        wait = self.pace.wait(chat, self._clock(), ahead)
        if wait > patience:
            raise Throttled(wait)
        return wait

    @asynccontextmanager
    async def _holding(self, chat: str) -> AsyncIterator[None]:
        try:
            yield
        except Throttled as throttled:
            CHAT_REFUSALS.labels(self._platform).inc()
            self.pace.refused(chat, self._clock(), throttled.seconds)
            raise
