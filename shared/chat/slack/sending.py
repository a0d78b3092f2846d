"""The two calls that show a message to everybody. A message whose blocks Slack refuses is shown simpler.

Both raise SlackApiError; what else goes wrong on the way is aiohttp.ClientError, OSError or TimeoutError.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from shared.chat.slack.blocks import Message
from shared.chat.slack.errors import code_of

log = logging.getLogger(__name__)

# Left alone, chat.update looks for names in a text; links of ours must not be opened for a preview.
SILENT: dict[str, Any] = {"parse": "none", "link_names": False}
NO_PREVIEW: dict[str, Any] = {"unfurl_links": False, "unfurl_media": False}

_NOT_TAKEN = ("invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long")


async def send(
    web: AsyncWebClient,
    channel: str,
    told: Message,
    thread: str | None = None,
    metadata: dict[str, Any] | None = None,
) -> str:
    """A new message; returns its `ts`."""

    async def post(shown: Message) -> str:
        sent = await web.chat_postMessage(
            channel=channel,
            text=shown.text,
            blocks=shown.blocks,
            thread_ts=thread,
            metadata=metadata,
            **SILENT,
            **NO_PREVIEW,
        )
        return str(sent["ts"])

    return await _simpler_and_simpler(told, post)


async def replace(web: AsyncWebClient, channel: str, ts: str, told: Message) -> None:
    """Make an earlier message show this. Blocks are always sent too: without any, Slack takes them away."""

    async def update(shown: Message) -> str:
        return str(
            await web.chat_update(channel=channel, ts=ts, text=shown.text, blocks=shown.blocks, **SILENT)
        )

    await _simpler_and_simpler(told, update)


async def _simpler_and_simpler(told: Message, call: Callable[[Message], Awaitable[str]]) -> str:
    """As it is; without the picture, which Slack has to be able to load; as words alone."""
    *before, last = told.simplified()
    for shown in before:
        try:
            return await call(shown)
        except SlackApiError as error:
            if code_of(error) not in _NOT_TAKEN:
                raise
            log.warning("Slack does not take a message, so it is shown simpler: %s", error.response)
    return await call(last)
