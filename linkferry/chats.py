"""The chat platforms that have a token, put together from the parts."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from fastapi import APIRouter

from bots.desk import Desk
from bots.herald import Herald
from bots.slack.life import serves_web, uses_slack
from bots.telegram.access import Access
from bots.telegram.handlers import TelegramBot
from bots.telegram.life import TelegramLife
from bots.telegram.replies import Replies
from bots.telegram.webhook import telegram_router, wants_webhook
from linkferry.compose import Parts
from linkferry.slack import GRACE, running_slack
from shared.chat import MessageClient
from shared.chat.deliver import Deliverer
from shared.chat.pace import Pace
from shared.chat.paced import PacedClient
from shared.chat.telegram import PLATFORM as TELEGRAM
from shared.chat.telegram.bot import open_bot
from shared.chat.telegram.client import BASE, TelegramClient, windows
from shared.keys import load_keys
from shared.settings import Settings


@dataclass
class Chats:
    """What running chats need of the web endpoint."""

    routers: list[APIRouter] = field(default_factory=list)


def wanted(settings: Settings) -> list[str]:
    """The names of the platforms that have a token."""
    named = {"Telegram": bool(settings.telegram_token), "Slack": uses_slack(settings)}
    return [name for name, has_token in named.items() if has_token]


@asynccontextmanager
async def running_chats(
    parts: Parts, clients: dict[str, MessageClient], deliverer: Deliverer | None
) -> AsyncIterator[Chats]:
    """Talk to people while the block runs. `clients`, those of the deliverer, get each platform that is up.

    Without a deliverer this is the web endpoint alone: it takes what is pushed, and another process shows.
    """
    chats = Chats()
    async with AsyncExitStack() as stack:
        if parts.settings.telegram_token and (deliverer or wants_webhook(parts.settings)):
            life = _telegram(parts, clients, deliverer)
            await stack.enter_async_context(life.living())
            if deliverer:
                stack.push_async_callback(deliverer.let_go, TELEGRAM, GRACE)
            if wants_webhook(parts.settings):
                chats.routers.append(telegram_router(parts.settings, life.reception))
        if uses_slack(parts.settings) and (deliverer or serves_web(parts.settings)):
            chats.routers += await stack.enter_async_context(running_slack(parts, clients, deliverer))
        yield chats


def _telegram(parts: Parts, clients: dict[str, MessageClient], deliverer: Deliverer | None) -> TelegramLife:
    settings, database = parts.settings, parts.database
    bot = open_bot(settings)
    client = TelegramClient(bot, database, parts.storage, settings)
    paced = PacedClient(client, Pace(windows, BASE))
    desk = Desk(database, parts.queue, parts.intake, parts.follower)
    herald = None
    if deliverer is not None:
        herald = Herald(database, parts.follower, TELEGRAM, paced, deliverer.nudge)
        desk.on_ask = herald.nudge
    access = Access(database, settings.telegram_allowed, load_keys(settings), settings.telegram_token)
    replies = Replies(client, paced)
    talk = TelegramBot(bot, desk, access, replies, database)

    def on_ready() -> None:
        clients[TELEGRAM] = paced

    return TelegramLife(settings, bot, database, talk, replies, access, herald, on_ready)
