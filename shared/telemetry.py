"""Logging: text for people, JSON for machines; what it is about on every line; secrets on none."""

import logging
import re
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

from pythonjsonlogger.json import JsonFormatter

from shared.links import redact_tokens
from shared.settings import Settings
from shared.tracing import trace_id

log = logging.getLogger(__name__)

TEXT = "%(asctime)s %(levelname)-7s %(name)s [%(subject)s] %(message)s"
FIELDS = "%(asctime)s %(levelname)s %(name)s %(message)s"
SHORTEST_SECRET = 6  # characters; what is shorter would blacken ordinary words

QUIET = (
    "botocore",
    "httpx",
    "httpcore",
    "telegram",
    "slack_bolt",
    "slack_sdk",
    "aiohttp.access",
    "aiormq",
    "alembic",
)
_TELEGRAM = re.compile(r"(?<!\d)(?P<bot>\d{5,}):[A-Za-z0-9_-]{30,}|(?<=/bot)(?P<number>\d+):[^/\s\"']+")
_SLACK = re.compile(r"(?P<kind>xox[a-z](?:\.xox[a-z])?|xapp)-[A-Za-z0-9%_-]{6,}")

_OF_A_PLATFORM = re.compile(r"\b(telegram|slack)(?=[._]|$)")  # a logger's name

_subject: ContextVar[Mapping[str, str | int]] = ContextVar("subject", default=MappingProxyType({}))


@contextmanager
def log_context(
    *,
    job_id: UUID | None = None,
    attempt: int | None = None,
    request_id: UUID | None = None,
    platform: str | None = None,
) -> Iterator[None]:
    """Every log line written inside names these, besides what was named outside; so do tasks begun there."""
    named = {"job_id": job_id, "attempt": attempt, "request_id": request_id, "platform": platform}
    told = {
        name: value if isinstance(value, int) else str(value)
        for name, value in named.items()
        if value is not None
    }
    token = _subject.set({**_subject.get(), **told})
    try:
        yield
    finally:
        _subject.reset(token)


class AddContext(logging.Filter):
    """Puts on a record what it is about."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        if of_a_platform := _OF_A_PLATFORM.search(record.name):
            record.platform = of_a_platform[1]
        for name, value in _subject.get().items():
            setattr(record, name, value)
        if (trace := trace_id()) is not None:
            record.trace_id = trace
        return True


def secrets_of(settings: Settings) -> set[str]:
    """What must not be read in a log: the values of the settings that do not show themselves either.

    Of an address only the password counts, as it is written and as it is meant.
    """
    secrets: set[str] = set()
    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        if field.repr or not value:
            continue
        for text in [value] if isinstance(value, str) else value:
            password = urlsplit(text).password if name.endswith("_url") else text
            secrets |= {password, unquote(password)} if password else set()
    return secrets


def redact_chat_tokens(text: str) -> str:
    """The text without anything that looks like the token of a Telegram bot or of a Slack app, ours or not.

    A bot's number stays, which is public, and so does the kind of a Slack token.
    """
    text = _TELEGRAM.sub(lambda match: f"{match['bot'] or match['number']}:[token]", text)
    return _SLACK.sub(r"\g<kind>-[token]", text)


def redactor(secrets: set[str]) -> Callable[[str], str]:
    """A function that takes these secrets, and the tokens of links and chats, out of a text."""
    long_ones = sorted((s for s in secrets if len(s) >= SHORTEST_SECRET), key=len, reverse=True)
    pattern = re.compile("|".join(map(re.escape, long_ones)) or r"(?!)")
    return lambda text: redact_chat_tokens(pattern.sub("[secret]", redact_tokens(text)))


class TextFormatter(logging.Formatter):
    """Lines for people. Redacts what is written in the end, so that a traceback tells no secret either."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__(TEXT)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """The record as text, without what could command the terminal: sites' words end up in it."""
        record.subject = getattr(record, "job_id", None) or getattr(record, "request_id", "-")
        text = self._redact(super().format(record))
        return "".join(char if char.isprintable() or char in "\n\t" else "?" for char in text)


class JsonLines(JsonFormatter):
    """One JSON object a line. Redacts each value before it is quoted, so that the line stays JSON."""

    def __init__(self, redact: Callable[[str], str]) -> None:
        super().__init__(FIELDS, rename_fields={"asctime": "time", "levelname": "level"})
        self._redact = redact

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:
        """UTC, as ISO 8601 has it, with milliseconds."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        """The fields of the record, just before they become JSON."""
        return {name: self._redacted(value) for name, value in log_data.items()}

    def _redacted(self, value: Any) -> Any:
        if isinstance(value, int | float | bool | None):
            return value
        return self._redact(str(value))


def set_up_logging(settings: Settings) -> None:
    """Configure the root logger, once, at start. Whatever is said past it, is brought to it."""
    handler = logging.StreamHandler(sys.stderr)
    for_people = sys.stderr.isatty() and not settings.where.is_aws
    wants_text = settings.log_format == "text" or (settings.log_format == "auto" and for_people)
    redact = redactor(secrets_of(settings))
    handler.setFormatter(TextFormatter(redact) if wants_text else JsonLines(redact))
    handler.addFilter(AddContext())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in QUIET:
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    threading.excepthook = lambda end: _log_uncaught(end.exc_type, end.exc_value, end.exc_traceback)


def _log_uncaught(
    kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    """What would be printed as it is, with whatever secrets it holds. Of tasks, asyncio logs the same."""
    if error is not None and not issubclass(kind, KeyboardInterrupt):
        log.critical("ended by an error", exc_info=(kind, error, traceback))
