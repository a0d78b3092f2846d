"""Lines to Slack: one HTTP session, and a Web API client for each workspace."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

TIMEOUT = 25.0  # seconds one call may take; whoever waits for a message waits 30 s

Clients = Callable[[str], Awaitable[AsyncWebClient]]
"""The client of a workspace, by its id."""

# At DEBUG the SDK logs what is sent, and where to: that holds signed links, and addresses for answers.
SDK_LOG = logging.getLogger("shared.chat.slack.sdk")
SDK_LOG.setLevel(logging.INFO)


@asynccontextmanager
async def open_session() -> AsyncIterator[aiohttp.ClientSession]:
    """The session that all clients of a process share; closed with the block."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT)) as session:
        yield session


def web_client(token: str, api_url: str, session: aiohttp.ClientSession) -> AsyncWebClient:
    """A client that never repeats a call by itself.

    The SDK's handlers would: the one for rate limits sleeps inside the call, while pacing is done above,
    and the one for broken connections would post a message twice that had arrived.
    """
    return AsyncWebClient(token, base_url=api_url, session=session, retry_handlers=[], logger=SDK_LOG)


def one_workspace(token: str, api_url: str, session: aiohttp.ClientSession) -> Clients:
    """The same client for every workspace, where the app is installed in one by its token."""
    client = web_client(token, api_url, session)

    async def of(_: str) -> AsyncWebClient:
        return client

    return of
