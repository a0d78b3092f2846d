"""Telegram, put together from the parts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter

from bots.platforms import wants_webhook
from bots.telegram.access import Access
from bots.telegram.handlers import TelegramBot
from bots.telegram.life import TelegramLife
from bots.telegram.replies import Replies
from bots.telegram.webhook import telegram_router
from linkferry.compose import Parts
from linkferry.front import build_front
from shared.chat import MessageClient
from shared.chat.deliver import Deliverer
from shared.chat.pace import Pace
from shared.chat.paced import PacedClient
from shared.chat.telegram import PLATFORM
from shared.chat.telegram.bot import open_bot
from shared.chat.telegram.client import BASE, TelegramClient, windows
from shared.keys import load_keys


@asynccontextmanager
async def running_telegram(
    parts: Parts, clients: dict[str, MessageClient], deliverer: Deliverer | None
) -> AsyncIterator[list[APIRouter]]:
    """Talk to people in Telegram while the block runs; yields what the web endpoint has to serve."""
    life = _life(parts, clients, deliverer)
    async with life.living():
        try:
            wants = wants_webhook(parts.settings)
            yield [telegram_router(parts.settings, life.reception)] if wants else []
        finally:
            if deliverer is not None:
                await deliverer.let_go(PLATFORM)


def _life(parts: Parts, clients: dict[str, MessageClient], deliverer: Deliverer | None) -> TelegramLife:
    settings, database = parts.settings, parts.database
    bot = open_bot(settings)
    client = TelegramClient(bot, database, parts.storage, settings)
    paced = PacedClient(client, Pace(windows, BASE), platform=PLATFORM)
    front = build_front(parts, PLATFORM, paced, clients, deliverer)
    access = Access(database, settings.telegram_allowed, load_keys(settings), settings.telegram_token)
    replies = Replies(client, paced)
    talk = TelegramBot(bot, front.desk, access, replies, database)
    return TelegramLife(settings, bot, database, talk, replies, access, front.herald, front.on_ready)
