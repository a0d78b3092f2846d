"""Polling: each update is handled before it is confirmed.

The library's own Updater confirms first, and so loses what a crash leaves unhandled.
"""

import asyncio
import logging
from collections.abc import Hashable, Sequence
from contextlib import suppress
from typing import Any

from telegram import Bot, Update
from telegram.error import (
    Conflict,
    EndPointNotFound,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from bots.telegram.reception import ALLOWED, Reception
from shared.chat.telegram.refusals import NOT_KNOWN, rest_seconds
from shared.locks import Locks
from shared.telemetry import redact_chat_tokens

log = logging.getLogger(__name__)

POLL = 30  # seconds one question may stay open
PATIENCE = 15.0  # seconds on top of that, for the network
LOOK = 0.5  # seconds to wait for what is being handled, before a look for what is new
CONFIRMING = 2.0  # seconds that the last question of all may take
PAUSES = (0.5, 30.0)  # seconds between two tries: at first, at most
CONFLICT_PAUSE = 10.0  # seconds


class Poller:
    """Asks for updates until it is stopped; what was handled is confirmed with the next question.

    Chats do not wait for each other. Telegram confirms only beginnings: what comes behind an update that is
    being handled comes again and again, and is known by its number. It shows a hundred at a time, so that
    nothing newer is seen while the first of a hundred takes long; and no more has to be remembered.
    """

    def __init__(self, bot: Bot, reception: Reception) -> None:
        self._bot = bot
        self._reception = reception
        self._offset = 0
        self._taken: dict[int, asyncio.Task[bool]] = {}  # by number, in Telegram's order
        self._lines = Locks()  # one for each chat
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Returns when it was stopped, or when Telegram no longer knows the token."""
        async with asyncio.TaskGroup() as group:
            await self._listen(group)
        self._advance()
        if self._stopped.is_set():
            await self._confirm()

    async def _listen(self, group: asyncio.TaskGroup) -> None:
        pause = PAUSES[0]
        while not self._stopped.is_set():
            try:
                updates = await self._ask()
            except (InvalidToken, EndPointNotFound):
                log.error("%s Telegram is off", NOT_KNOWN)
                return
            except TelegramError as error:
                pause = await self._rest(error, pause)
            else:
                pause = PAUSES[0]
                await self._take(updates, group)

    def stop(self) -> None:
        """Ask no more; what has come is handled to its end."""
        self._stopped.set()

    async def _ask(self) -> list[Any]:
        """What is new; nothing once it is stopped."""
        question = asyncio.create_task(self._get(POLL, PATIENCE))
        stopped = asyncio.create_task(self._stopped.wait())
        try:
            await asyncio.wait({question, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return question.result() if question.done() else []
        finally:
            for task in (question, stopped):
                task.cancel()

    async def _get(self, wait: int, patience: float, limit: int = 100) -> list[Any]:
        # Raw: one update that the library cannot read would keep it from reading the others. The name is
        # spelled so because it warns of raw calls for which it has a method, by the method's own names.
        asked = {"offset": self._offset, "timeout": wait, "limit": limit, "allowed_updates": list(ALLOWED)}
        found = await self._bot.do_api_request("get_Updates", asked, read_timeout=wait + patience)
        return found if isinstance(found, list) else []

    async def _take(self, updates: Sequence[Any], group: asyncio.TaskGroup) -> None:
        """Begin with what is new, and give it a moment to end."""
        came = {raw["update_id"]: raw for raw in updates if _is_numbered(raw)}
        # what comes no more was confirmed; its number may come again some day, and mean another update
        self._taken = {
            number: task for number, task in self._taken.items() if number in came or not task.done()
        }
        for number, raw in came.items():
            if number not in self._taken:
                self._taken[number] = group.create_task(self._take_in_turn(raw))
        if under_way := [task for task in self._taken.values() if not task.done()]:
            await asyncio.wait(under_way, timeout=LOOK)
        elif updates and not came:
            log.warning("Telegram sends what are no updates")
            await self._sleep(PAUSES[1])
        self._advance()

    async def _take_in_turn(self, raw: Any) -> bool:
        """Handle it after those of the same chat that came before. False when it was stopped before that."""
        async with self._lines.of(place_of(raw)):
            pause = PAUSES[0]
            while not await self._reception.take(raw):
                if self._stopped.is_set():
                    return False
                await self._sleep(pause)
                pause = min(PAUSES[1], pause * 2)
        return True

    def _advance(self) -> None:
        """Confirm next time what was handled, as far as nothing before it is still to do.

        Numbers also go down: Telegram draws a new one after a week of silence.
        """
        for number, task in self._taken.items():
            if not (task.done() and task.result()):
                return
            self._offset = number + 1

    async def _rest(self, error: TelegramError, pause: float) -> float:
        """Wait after an error; returns how long to wait after the next one."""
        match error:
            case TimedOut():  # nobody answered an open question: networks forget them
                seconds = PAUSES[0]
            case Conflict():
                log.warning(
                    "somebody else asks Telegram for this bot's updates: is another linkferry running with "
                    "the same token, or a webhook set elsewhere? I keep trying (%s)",
                    error.message,
                )
                seconds = CONFLICT_PAUSE
            case RetryAfter():
                seconds = rest_seconds(error)
            case _:
                kind = "cannot be reached" if isinstance(error, NetworkError) else "refuses"
                log.warning("Telegram %s: %s", kind, redact_chat_tokens(error.message))
                seconds, pause = pause, min(PAUSES[1], pause * 2)
        await self._sleep(seconds)
        return pause

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopped.wait()

    async def _confirm(self) -> None:
        """Say what was handled: the next process would not double requests, but answer questions again."""
        if self._offset:
            try:
                await self._get(0, CONFIRMING, limit=1)
            except TelegramError as error:
                log.info("the last updates were not confirmed: %s", redact_chat_tokens(error.message))


def place_of(raw: Any) -> Hashable:
    """The chat of an update: those of one chat are handled in order."""
    if not isinstance(raw, dict):
        return None
    for kind in ALLOWED:
        about = raw.get(kind)
        if isinstance(about, dict):
            inner = about.get("message") if kind == Update.CALLBACK_QUERY else about
            chat = inner.get("chat") if isinstance(inner, dict) else None
            return str(chat.get("id")) if isinstance(chat, dict) else None
    return None


def _is_numbered(raw: Any) -> bool:
    return isinstance(raw, dict) and isinstance(raw.get("update_id"), int)
