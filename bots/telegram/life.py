"""The bot's life in one process: it learns its name, says who it waits for, listens, and ends well."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from sqlalchemy.exc import SQLAlchemyError
from telegram import Bot
from telegram.error import InvalidToken, TelegramError

from bots.herald import Herald
from bots.platforms import wants_webhook
from bots.telegram.access import Access
from bots.telegram.handlers import TelegramBot
from bots.telegram.menu import set_menus
from bots.telegram.reception import Reception
from bots.telegram.replies import Replies
from bots.telegram.updates import Poller
from bots.telegram.webhook import set_webhook
from shared.chat.telegram.refusals import NOT_KNOWN
from shared.database import Database
from shared.errors import ConfigError
from shared.settings import Settings
from shared.telemetry import redact_chat_tokens

log = logging.getLogger(__name__)

GRACE = 3.0  # seconds that handlers, and then sentences, get to end
PAUSES = (1.0, 30.0)  # seconds between two tries at the start: at first, at most

BY_WEBHOOK = "Telegram: @%s listens by webhook, while `linkferry web` or `linkferry up` answers at %s"
NO_OWNER = "nobody owns the Telegram bot yet: send '/start %s' to https://t.me/%s, and it is yours"


class TelegramLife:
    """Without a herald nobody is shown anything here: updates are stored only, as they come by webhook.

    `on_ready` is called once Telegram knows the bot: from then on messages can be sent.
    """

    def __init__(
        self,
        settings: Settings,
        bot: Bot,
        database: Database,
        talk: TelegramBot,
        replies: Replies,
        access: Access,
        herald: Herald | None,
        on_ready: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._bot = bot
        self._replies = replies
        self._access = access
        self._herald = herald
        self._on_ready = on_ready
        self._reception = Reception(bot, talk.handle, database, talk.give_up)
        self._poller = Poller(bot, self._reception)
        self._polling: asyncio.Task[None] | None = None
        self._is_known = False

    def reception(self) -> Reception | None:
        """Where updates are taken; None until the bot knows its own name."""
        return self._reception if self._is_known else None

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Live while the block runs. At the end no more updates are taken, and what has come is ended."""
        try:
            async with asyncio.TaskGroup() as group:
                life = group.create_task(self._run())
                try:
                    yield
                finally:
                    self._poller.stop()
                    if self._polling is not None:
                        await asyncio.wait({self._polling}, timeout=GRACE)
                    await self._replies.settle(GRACE)
                    life.cancel()
        finally:
            await self._bot.shutdown()

    async def _run(self) -> None:
        if not await self._insisting(self._bot.initialize):
            return
        self._is_known = True
        if self._herald is None:
            return
        self._on_ready()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._herald.run())
            await self._announce()
            if wants_webhook(self._settings):
                if await self._insisting(lambda: set_webhook(self._bot, self._settings)):
                    log.info(BY_WEBHOOK, self._bot.username, self._settings.effective_public_url)
            elif await self._insisting(lambda: self._bot.delete_webhook(drop_pending_updates=False)):
                log.info("Telegram: @%s listens", self._bot.username)
                self._polling = group.create_task(self._poller.run())

    async def _insisting(self, call: Callable[[], Awaitable[object]]) -> bool:
        """Call until it works; False when Telegram does not know the token."""
        pause = PAUSES[0]
        while True:
            try:
                await call()
            except (InvalidToken, ConfigError):  # the library's words repeat the token
                log.error("%s Telegram is off", NOT_KNOWN)
                return False
            except TelegramError as error:
                log.warning("Telegram cannot be reached: %s", redact_chat_tokens(error.message))
            else:
                return True
            await asyncio.sleep(pause)
            pause = min(PAUSES[1], 2 * pause)

    async def _announce(self) -> None:
        """Say who may become the owner, and put the commands where people see them."""
        try:
            code = await self._access.open_code()
            owner = await self._access.owner()
        except (SQLAlchemyError, OSError) as error:
            log.warning("who owns the bot is not known yet: %s", error)
            return
        if code is not None:
            log.warning(NO_OWNER, code, self._bot.username)
        await set_menus(self._bot, owner)
