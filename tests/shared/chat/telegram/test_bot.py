"""The line to Telegram: the token stays with us, and what is refused is understood."""

import logging
from datetime import timedelta

import pytest
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
)

from shared.chat.port import ChatMoved, MessageGone, Throttled
from shared.chat.telegram.bot import is_cloud, open_bot
from shared.chat.telegram.client import windows
from shared.chat.telegram.refusals import FileRefused, LinksRefused, OtherKind, meaning
from shared.errors import ConfigError
from shared.settings import Settings
from tests.telegram.double import TelegramDouble

TOKEN = "7000000001:AAHdouble-token-of-the-tests-0000000"


def settings(url: str = "https://api.telegram.org/") -> Settings:
    return Settings(_env_file=None, telegram_token=TOKEN, telegram_api_url=url)


async def test_a_wrong_token_is_a_sentence_that_does_not_repeat_it() -> None:
    async with TelegramDouble() as telegram:
        bot = open_bot(settings(telegram.url))
        with pytest.raises(ConfigError, match="LINKFERRY_TELEGRAM_TOKEN") as wrong:
            await bot.initialize()
        await bot.shutdown()
    assert TOKEN not in f"{wrong.value!r} {bot!r}" and wrong.value.__cause__ is None


def test_a_bot_speaks_to_the_server_of_the_settings_in_silence() -> None:
    logging.getLogger("httpx").setLevel(logging.INFO)
    bot = open_bot(settings("https://api.telegram.org/"))
    assert bot.base_url == f"https://api.telegram.org/bot{TOKEN}"
    assert bot.base_file_url == f"https://api.telegram.org/file/bot{TOKEN}"
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert is_cloud(settings()) and not is_cloud(settings("http://bot-api:8081"))


@pytest.mark.parametrize(
    ("error", "with_file", "told"),
    [
        (BadRequest("Message is not modified: specified new message content"), False, None),
        (BadRequest("Query is too old and response timeout expired or query id is invalid"), False, None),
        (BadRequest("Message to edit not found"), True, MessageGone),
        (BadRequest("Not enough rights to send text messages to the chat"), False, MessageGone),
        (BadRequest("Not enough rights to send videos to the chat"), True, FileRefused),
        (Forbidden("Forbidden: bot is not a member of the supergroup chat"), True, MessageGone),
        (ChatMigrated(-1007), False, ChatMoved),
        (InvalidToken(), False, ConfigError),
        (BadRequest("There is no text in the message to edit"), False, OtherKind),
        (BadRequest("BUTTON_URL_INVALID"), True, LinksRefused),
        (BadRequest("Can't parse entities"), False, BadRequest),
        (NetworkError("Request Entity Too Large (413)"), True, FileRefused),
        (NetworkError("Request Entity Too Large (413)"), False, NetworkError),
        (NetworkError("Bad Gateway"), True, NetworkError),
    ],
)  # fmt: skip
def test_what_telegrams_words_mean(error: TelegramError, with_file: bool, told: type | None) -> None:
    found = meaning(error, with_file=with_file)
    assert found is None if told is None else type(found) is told


@pytest.mark.parametrize("value", [7, timedelta(seconds=7)])
def test_how_long_to_rest_is_understood_as_a_number_and_as_a_duration(
    value: int | timedelta, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RetryAfter, "retry_after", value)
    error = RetryAfter(7)
    found = meaning(error)
    assert isinstance(found, Throttled) and found.seconds == 7.0


def test_a_group_has_a_minutes_window_more_than_a_person() -> None:
    assert [(each.calls, each.seconds, each.progress) for each in windows("7000")] == [
        (25, 1.0, 20),
        (1, 1.0, 1),
    ]
    assert [(each.calls, each.seconds, each.progress) for each in windows("-1007000")][2:] == [(18, 60.0, 10)]
    assert windows("1")[0] == windows("-2")[0] and windows("1")[1] != windows("2")[1]
