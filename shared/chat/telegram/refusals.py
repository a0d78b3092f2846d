"""What Telegram's refusals mean for us: one function, by the class and the words of an error.

Telegram has no codes, so its words count; they are those of its published server (tdlib/telegram-bot-api
and tdlib/td), compared without regard to case.
"""

from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

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
from shared.errors import ConfigError

T = TypeVar("T")

NOT_KNOWN = "Telegram does not know the token in LINKFERRY_TELEGRAM_TOKEN; @BotFather shows the right one."

_HARMLESS = ("message is not modified", "query is too old", "query id is invalid")
_GONE = (
    "message to edit not found",
    "message can't be edited",
    "message_id_invalid",
    "chat not found",
    "chat_write_forbidden",
    "group chat was deactivated",
    "peer_id_invalid",
    "topic_closed",
    "topic_deleted",
    "message thread not found",
)
_NO_RIGHTS = ("not enough rights", "have no rights to send", "need administrator rights", "chat_send_")
_OTHER_KIND = ("there is no text in the message", "there is no caption in the message")
_BAD_BUTTON = ("inline keyboard button url", "button_url_invalid")
_TOO_LARGE = ("request entity too large", "content too large")


class FileRefused(Exception):
    """Telegram does not take this file here; the words are Telegram's."""


class LinksRefused(Exception):
    """Telegram does not take the address of a button; the words are Telegram's."""


class OtherKind(Exception):
    """The message has become one with a file, or without: another method edits it."""


async def called(call: Awaitable[T], *, with_file: bool = False) -> T | None:
    """The answer to a call; None when it was refused because there was nothing to do.

    Raises what `meaning` says, and other errors of Telegram or the network as they are.
    """
    try:
        return await call
    except TelegramError as error:
        told = meaning(error, with_file=with_file)
        if told is not None:
            raise told from error
        return None


def meaning(error: TelegramError, *, with_file: bool = False) -> Exception | None:
    """What to raise instead; the error itself when the call may be tried again; None when all is well.

    `with_file`: the call brought a file, so that whatever is wrong with the call may be wrong with the file.
    """
    words = error.message.lower()
    match error:
        case RetryAfter():
            return Throttled(rest_seconds(error))
        case ChatMigrated():
            return ChatMoved(str(error.new_chat_id))
        case Forbidden():
            return MessageGone(error.message)
        case InvalidToken():
            return ConfigError(NOT_KNOWN)
        case BadRequest():
            return _bad_request(error, words, with_file)
        case NetworkError() if with_file and _says(words, _TOO_LARGE):
            return FileRefused(error.message)
    return error


def _bad_request(error: BadRequest, words: str, with_file: bool) -> Exception | None:
    if _says(words, _HARMLESS):
        return None
    if _says(words, _GONE):
        return MessageGone(error.message)
    if _says(words, _BAD_BUTTON):
        return LinksRefused(error.message)
    if _says(words, _OTHER_KIND):
        return OtherKind(error.message)
    if with_file:  # also: this group takes no videos
        return FileRefused(error.message)
    return MessageGone(error.message) if _says(words, _NO_RIGHTS) else error


def _says(words: str, known: tuple[str, ...]) -> bool:
    return any(each in words for each in known)


def rest_seconds(error: RetryAfter) -> float:
    """How long Telegram wants rest, however the library says it."""
    after: float | timedelta = error.retry_after
    return after.total_seconds() if isinstance(after, timedelta) else float(after)
