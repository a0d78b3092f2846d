"""Fixtures of the double's own tests."""

from collections.abc import AsyncIterator, Callable

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack.double import SlackDouble


class Clock:
    """Time that passes when a test says so; seconds."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackDouble]:
    async with SlackDouble(clock=clock, ack_patience=30.0, retry_delays=(0.0, 0.0, 0.0)) as running:
        yield running


@pytest.fixture
def client(slack: SlackDouble) -> AsyncWebClient:
    """A client of the bot that does not retry by itself."""
    return AsyncWebClient(slack.token, base_url=slack.api_url, retry_handlers=[])


@pytest.fixture
async def run(slack: SlackDouble) -> AsyncIterator[Callable[[AsyncApp], object]]:
    """Connect an app in Socket Mode, as slack_bolt does it."""
    handlers: list[AsyncSocketModeHandler] = []

    async def start(app: AsyncApp) -> AsyncSocketModeHandler:
        web = AsyncWebClient(slack.app_token, base_url=slack.api_url)
        handlers.append(AsyncSocketModeHandler(app, slack.app_token, web_client=web))
        await handlers[-1].connect_async()  # type: ignore[no-untyped-call]
        await slack.socket.connected()
        return handlers[-1]

    yield start
    for handler in handlers:
        await handler.close_async()  # type: ignore[no-untyped-call]
