"""Looks for what may have arrived although nobody said so: Slack has no way to refuse a second message.

Reading a channel needs a scope that the app can do without; what it may not read is not found.
"""

import logging
from collections.abc import Mapping
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from shared.chat.port import Throttled
from shared.chat.slack.errors import code_of, translate

log = logging.getLogger(__name__)

LOOK_BACK = 200  # messages that are looked at

Metadata = dict[str, Any]


async def messages(
    web: AsyncWebClient, channel: str, thread: str | None, since: str | None
) -> list[Mapping[str, Any]]:
    """What was said in a channel, or in a thread of it, after the time `since`; nothing when the app may
    not read there. Raises SlackApiError when Slack wants rest."""
    asked: dict[str, Any] = {"channel": channel, "oldest": since, "limit": LOOK_BACK}
    try:
        if thread:
            found = await web.conversations_replies(ts=thread, include_all_metadata=True, **asked)
        else:
            found = await web.conversations_history(include_all_metadata=True, **asked)
    except SlackApiError as error:
        if isinstance(translate(error), Throttled):
            raise
        log.info("what was said in a chat cannot be read: %s", code_of(error))
        return []
    return list(found["messages"])


async def find_message(
    web: AsyncWebClient, channel: str, thread: str | None, since: str | None, metadata: Metadata
) -> str | None:
    """The `ts` of the message with this metadata. Raises as `messages` does."""
    found = await messages(web, channel, thread, since)
    return next((str(each["ts"]) for each in found if each.get("metadata") == metadata), None)


async def are_shown(
    web: AsyncWebClient, channel: str, thread: str | None, since: str | None, names: set[str]
) -> bool:
    """Whether a message there has one of these files. Raises as `messages` does."""
    found = await messages(web, channel, thread, since)
    return any(file.get("id") in names for each in found for file in each.get("files", ()))
