"""Sentences to people, in the background: nothing waits for them, and a lost one is only a sentence."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.chat.paced import PacedClient
from shared.chat.port import ChatMoved, MessageGone, Throttled

T = TypeVar("T")
Call = Callable[[], Awaitable[object]]

log = logging.getLogger(__name__)

MOST_EACH = 5  # calls that may wait for one person or chat: whoever floods us is not answered each time
MOST = 500  # calls altogether
PATIENCE = 60.0  # seconds one call may take, its turn included: in a busy group that is as long as it gets


class Background:
    """Makes calls that nobody waits for. `settle` waits for what was begun.

    `passing`: errors of the platform's library, which are a line in the log.
    """

    def __init__(self, paced: PacedClient, *passing: type[Exception]) -> None:
        self._paced = paced
        self._passing: tuple[type[Exception], ...] = (Throttled, MessageGone, ChatMoved, OSError, *passing)
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: Counter[str] = Counter()

    def begin(self, whom: str, call: Call) -> None:
        """A call for this person or chat; empty: for nobody of whom there could be too many."""
        if len(self._tasks) >= MOST or (whom and self._waiting[whom] >= MOST_EACH):
            log.info("%s: too many sentences wait, so one is left out", whom or "?")
            return
        self._waiting[whom] += 1
        task = asyncio.create_task(self._make(whom, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def in_turn(self, chat: str, call: Callable[[], Awaitable[T]]) -> T:
        """A call to this chat; once more when the platform wanted rest, for which its next turn waits."""
        try:
            async with self._paced.turn(chat, PATIENCE):
                return await call()
        except Throttled:
            async with self._paced.turn(chat, PATIENCE):
                return await call()

    async def settle(self, patience: float) -> None:
        """Let what was begun end, for so many seconds; then give up on it."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _make(self, whom: str, call: Call) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await call()
        except self._passing as error:
            log.info("%s: a sentence was not said: %s", whom or "?", type(error).__name__)
        except Exception:
            log.exception("a sentence could not be said")
        finally:
            self._waiting[whom] -= 1
            if not self._waiting[whom]:
                del self._waiting[whom]
