"""Socket Mode: a WebSocket to Slack, and a watch over it.

A connection can be alive but deaf: it answers our pings, and brings nothing. Slack itself pings every few
seconds, so silence of any length means that it has to be opened anew.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.socket_mode.aiohttp import SocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest

from shared.chat.slack.chats import PLATFORM
from shared.chat.slack.web import web_client
from shared.telemetry import log_context

log = logging.getLogger(__name__)

DEAF = 30.0  # seconds without a word or a ping from Slack
PING = 10.0  # seconds between two pings of ours
GRACE = 3.0  # seconds that handlers get to end

_HEARD = (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.PING)
_sdk_log = logging.getLogger("bots.slack.socket_mode")
_sdk_log.setLevel(logging.INFO)


class Ear(aiohttp.ClientWebSocketResponse):
    """A WebSocket that knows when it last brought anything that Slack began."""

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.heard_at = time.monotonic()

    async def receive(self, timeout: float | None = None) -> aiohttp.WSMessage:  # noqa: ASYNC109 - aiohttp's
        """See aiohttp."""
        message = await super().receive(timeout)
        if message.type in _HEARD:
            self.heard_at = time.monotonic()
        return message


class Handler(AsyncSocketModeHandler):
    """Bolt's handler, which knows what is under way."""

    def __init__(self, app: AsyncApp, token: str, api_url: str, session: aiohttp.ClientSession) -> None:
        web = web_client(token, api_url, session)
        super().__init__(app, token, logger=_sdk_log, web_client=web, ping_interval=PING)
        self.under_way: set[asyncio.Task[Any]] = set()

    async def handle(self, client: SocketModeClient, req: SocketModeRequest) -> None:  # type: ignore[override]
        """One envelope: acknowledged once it is stored."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101
        self.under_way.add(task)
        try:
            with log_context(platform=PLATFORM):
                await super().handle(client, req)
        finally:
            self.under_way.discard(task)


@asynccontextmanager
async def connected(
    app: AsyncApp, token: str, api_url: str, session: aiohttp.ClientSession, address: str
) -> AsyncIterator[Handler]:
    """Listen while the block runs; `address` is that of the first connection, which Slack gave."""
    handler = Handler(app, token, api_url, session)
    client = handler.client
    await client.aiohttp_client_session.close()
    client.aiohttp_client_session = aiohttp.ClientSession(ws_response_class=Ear)
    client.wss_uri = address
    watching = asyncio.create_task(_watch(client))
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
        log.info("Slack: listening in Socket Mode")
        yield handler
    finally:
        watching.cancel()
        if handler.under_way:
            await asyncio.wait(set(handler.under_way), timeout=GRACE)
        tasks = (client.message_processor, client.current_session_monitor, client.message_receiver)
        await handler.close_async()  # type: ignore[no-untyped-call]
        await asyncio.gather(*filter(None, tasks), watching, return_exceptions=True)


async def _watch(client: SocketModeClient) -> None:
    """Open the connection anew whenever it has gone deaf, and at a new address whenever it is gone."""
    while True:
        await asyncio.sleep(DEAF / 4)
        session = client.current_session
        if session is None or session.closed:
            client.wss_uri = None  # an address opens one connection; the library would try it for ever
            continue
        if not isinstance(session, Ear):
            continue
        if time.monotonic() - session.heard_at > DEAF:
            log.warning("the connection to Slack is open but brings nothing; opening another one")
            try:
                await client.connect_to_new_endpoint(force=True)
            except Exception as error:  # the library lets everything through; it is tried again
                log.warning("Slack gives no new connection: %s", type(error).__name__)
