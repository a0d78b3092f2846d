"""The steps by which Slack takes files. Who remembers which of them were made is `sharing`.

All raise SlackApiError when Slack says no, and OSError or aiohttp.ClientError when it cannot be asked.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from shared.chat.slack.text import one_line
from shared.chat.slack.web import TIMEOUT

MAX_TITLE = 200  # characters of a file's title

_HARMLESS = str.maketrans("<>&", "‹›+")  # a title is shown in places that escape it, and in others


@dataclass(frozen=True)
class Place:
    """Where transcripts go: a channel, or a thread in it. `key` is the same for every try; see `place_key`.

    `since`: the `ts` of a message that is older than any try.
    """

    channel: str
    key: str
    thread: str | None = None
    since: str | None = None


async def read_beginning(path: Path, most: int) -> str:
    """The first `most` bytes of a text file; empty when it is not there."""

    def read() -> str:
        with path.open("rb") as file:
            return file.read(most).decode(errors="ignore")

    try:
        return await asyncio.to_thread(read)
    except FileNotFoundError:
        return ""


async def send_bytes(web: AsyncWebClient, path: Path, name: str) -> str:
    """Bring a file to Slack, piece by piece, where nobody sees it yet; returns the id it has there.

    The SDK's `files_upload_v2` does all steps at once: it holds the file in memory, and the id would be known
    only after people see it.
    """
    file = await asyncio.to_thread(path.open, "rb")
    try:
        size = (await asyncio.to_thread(path.stat)).st_size
        given = await web.files_getUploadURLExternal(filename=name, length=size)
        await _upload(web, given["upload_url"], file, size)
    finally:
        file.close()
    return str(given["file_id"])


async def show_files(
    web: AsyncWebClient, place: Place, ids: dict[UUID, str], titles: dict[UUID, str]
) -> None:
    """Show files that Slack has in a message of their own, which has no words: nothing in this call could
    keep Slack from opening links in them for a preview.

    In the body of the call: the SDK would put all of it into the address, which may get too long.
    """
    named = [{"id": name, "title": _title(titles.get(each, ""))} for each, name in ids.items()]
    asked = {"files": json.dumps(named), "channel_id": place.channel}
    if place.thread:
        asked["thread_ts"] = place.thread
    await web.api_call("files.completeUploadExternal", data=asked)


async def _upload(web: AsyncWebClient, url: str, file: Any, size: int) -> None:
    """Its session is the client's: the one place that knows how to get out of this network."""
    headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
    if web.session is None:
        raise OSError("the client of a workspace has no session")
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with web.session.post(url, data=file, headers=headers, proxy=web.proxy, timeout=timeout) as answer:
        if answer.status != 200:
            raise OSError(f"Slack did not take the bytes of a file: {answer.status}")


def _title(name: str) -> str:
    return one_line(name).translate(_HARMLESS)[:MAX_TITLE] or "transcript"
