"""The chat platforms that have a token. The libraries of the others are never imported: they cost memory."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import APIRouter

from bots.platforms import serves_web, slack_lacks, uses_slack, uses_telegram, wants_webhook
from linkferry.compose import Parts
from shared.chat import MessageClient
from shared.chat.deliver import Deliverer
from shared.settings import Settings

log = logging.getLogger(__name__)


def wanted(settings: Settings) -> list[str]:
    """The names of the platforms that have a token."""
    named = {"Telegram": uses_telegram(settings), "Slack": uses_slack(settings)}
    return [name for name, has_token in named.items() if has_token]


@asynccontextmanager
async def running_chats(
    parts: Parts, clients: dict[str, MessageClient], deliverer: Deliverer | None
) -> AsyncIterator[list[APIRouter]]:
    """Talk to people while the block runs. `clients`, those of the deliverer, get each platform that is up.

    Yields what the web endpoint has to answer for them.
    Without a deliverer this is the web endpoint alone: it takes what is pushed, and another process shows.
    """
    settings, routers = parts.settings, list[APIRouter]()
    async with AsyncExitStack() as stack:
        if uses_telegram(settings) and (deliverer or wants_webhook(settings)):
            from linkferry.telegram import running_telegram

            routers += await stack.enter_async_context(running_telegram(parts, clients, deliverer))
        if deliverer and (lacking := slack_lacks(settings)):
            log.error("Slack: nobody is heard there. %s", lacking)
        if uses_slack(settings) and (deliverer or serves_web(settings)):
            from linkferry.slack import running_slack

            routers += await stack.enter_async_context(running_slack(parts, clients, deliverer))
        yield routers
