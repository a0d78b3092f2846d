"""Polling: each update is handled before it is confirmed.

The library's own Updater confirms first, and so loses what a crash leaves unhandled.
"""

import asyncio
import logging
from collections.abc import Sequence
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
from shared.telemetry import redact_chat_tokens

log = logging.getLogger(__name__)

POLL = 30  # seconds one question may stay open
PATIENCE = 15.0  # seconds on top of that, for the network
CONFIRMING = 2.0  # seconds that the last question of all may take
PAUSES = (0.5, 30.0)  # seconds between two tries: at first, at most
CONFLICT_PAUSE = 10.0  # seconds


class Poller:
    """Asks for updates until it is stopped; what was handled is confirmed with the next question."""

    def __init__(self, bot: Bot, reception: Reception) -> None:
        self._bot = bot
        self._reception = reception
        self._offset = 0
        self._stopped = asyncio.Event()

    async def run(self) -> None:
        """Returns when it was stopped, or when Telegram no longer knows the token."""
        pause = PAUSES[0]
        while not self._stopped.is_set():
            try:
                updates = await self._ask()
            except (InvalidToken, EndPointNotFound):
                log.error("Telegram does not know LINKFERRY_TELEGRAM_TOKEN any more: Telegram is off")
                return
            except TelegramError as error:
                pause = await self._rest(error, pause)
            else:
                pause = PAUSES[0]
                await self._take(updates)
        await self._confirm()

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

    async def _take(self, updates: Sequence[Any]) -> None:
        """A whole batch: chats side by side, each chat in order. It is confirmed when all of it is stored."""
        chats: dict[object, list[Any]] = {}
        for raw in updates:
            chats.setdefault(place_of(raw), []).append(raw)
        async with asyncio.TaskGroup() as group:
            taken = [group.create_task(self._take_in_order(of_one)) for of_one in chats.values()]
        if all(task.result() for task in taken):
            ids = [raw["update_id"] for raw in updates if isinstance(raw, dict)]
            self._offset = max([self._offset, *(each + 1 for each in ids if isinstance(each, int))])

    async def _take_in_order(self, updates: Sequence[Any]) -> bool:
        """False when it was stopped before all of them were stored."""
        for raw in updates:
            pause = PAUSES[0]
            while not await self._reception.take(raw):
                if self._stopped.is_set():
                    return False
                await self._sleep(pause)
                pause = min(PAUSES[1], pause * 2)
        return True

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
                seconds = _seconds(error)
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


def place_of(raw: Any) -> object:
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


def _seconds(error: RetryAfter) -> float:
    after = error.retry_after
    return float(after) if isinstance(after, int | float) else after.total_seconds()
