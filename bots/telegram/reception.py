"""One update at a time: handled, or it has to come again. The same for polling and for the webhook."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from telegram import Bot, Update

from bots.desk import NotStored
from shared import tracing
from shared.chat.telegram import PLATFORM
from shared.database import Database
from shared.recent import Recent
from shared.telemetry import log_context

log = logging.getLogger(__name__)

ALLOWED = (Update.MESSAGE, Update.CALLBACK_QUERY, Update.MY_CHAT_MEMBER)  # what this bot reads
TRIES = 5  # of one update with a database that is well: then the update is to blame
PATIENCE = 15.0  # seconds to ask the database how it is
REMEMBERED = 1000  # updates that failed

Handle = Callable[[Update], Awaitable[None]]


class Reception:
    """Takes updates as Telegram sends them. Nothing that is in one can stop the next.

    `give_up` is told of one that will never be handled.
    """

    def __init__(
        self,
        bot: Bot,
        handle: Handle,
        database: Database,
        give_up: Callable[[Update], None] = lambda update: None,
    ) -> None:
        self._bot = bot
        self._handle = handle
        self._database = database
        self._give_up = give_up
        self._tries: Recent[int, int] = Recent(REMEMBERED)

    async def take(self, raw: Any) -> bool:
        """True once the update is done with; False when it has to come again, as the database is away."""
        with log_context(platform=PLATFORM):
            return await self._take(raw)

    async def _take(self, raw: Any) -> bool:
        try:
            update = Update.de_json(raw, self._bot)
            if not isinstance(update.update_id, int):
                raise TypeError("an update has a number")
        except Exception as error:  # whatever a wrong shape does to the library
            log.warning("an update is not one, and is left out: %s", type(error).__name__)
            return True
        try:
            with tracing.span("telegram update", kind="server"):
                await self._handle(update)
        except NotStored as error:
            if not await self._is_poison(update):
                log.warning("%s; it is taken again", error)
                return False
            log.exception("update %s fails again and again, and is left out", update.update_id)
            self._give_up(update)
        self._tries.pop(update.update_id, None)
        return True

    async def _is_poison(self, update: Update) -> bool:
        """Whether the update itself is what the database does not take."""
        tries = self._tries.get(update.update_id, 0) + 1
        self._tries[update.update_id] = tries
        if tries < TRIES:
            return False
        try:
            async with asyncio.timeout(PATIENCE), self._database.write() as session:
                await session.execute(text("SELECT 1"))
        except (SQLAlchemyError, OSError):
            return False
        return True
