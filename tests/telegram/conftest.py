"""A running double with a clock moved by hand, and python-telegram-bot's own Bot that talks to it."""

from collections.abc import AsyncIterator

import pytest
from telegram import Bot
from telegram.request import HTTPXRequest

from tests.telegram.clock import Clock
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private


def bot_of(telegram: TelegramDouble, token: str = "", *, local_mode: bool = False) -> Bot:
    """A bot that takes the double for Telegram; reading certificates would take longer than most tests."""
    patience = dict.fromkeys(("read_timeout", "write_timeout", "connect_timeout", "pool_timeout"), 60.0)
    calls, polls = (
        HTTPXRequest(connection_pool_size=8, httpx_kwargs={"verify": False}, **patience) for _ in range(2)
    )
    return Bot(
        token or telegram.token,
        base_url=f"{telegram.url}/bot",
        base_file_url=f"{telegram.url}/file/bot",
        request=calls,
        get_updates_request=polls,
        local_mode=local_mode,
    )


@pytest.fixture(autouse=True)
def _durations_as_timedelta(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library warns at every 429 that `retry_after` will be one, unless it is one already."""
    monkeypatch.setenv("PTB_TIMEDELTA", "true")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def telegram(clock: Clock) -> AsyncIterator[TelegramDouble]:
    async with TelegramDouble(clock=clock, allow_http=True, limits=False) as running:
        yield running


@pytest.fixture
async def bot(telegram: TelegramDouble) -> AsyncIterator[Bot]:
    async with bot_of(telegram) as running:
        telegram.calls.clear()  # what it asked to introduce itself
        yield running


@pytest.fixture
def chat(telegram: TelegramDouble) -> Private:
    return telegram.private(telegram.user("Ann"))
