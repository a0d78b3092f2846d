"""Logs: who reads them must learn neither a key nor a link."""

import asyncio
import gc
import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvloop

from shared.links import Links
from shared.settings import Settings
from shared.telemetry import (
    QUIET,
    AddContext,
    JsonLines,
    TextFormatter,
    log_context,
    redact_chat_tokens,
    redactor,
    secrets_of,
    set_up_logging,
)

LINK = Links(["a-key-0123456789abc"]).url("http://h.example", uuid4(), 'a "film".mp4', 3600)
TOKEN = LINK.split("/")[4]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        data_dir=tmp_path,
        secret_keys="signing-key-0123456",  # type: ignore[arg-type]
        api_keys="api-key-1,api-key-22,x",  # type: ignore[arg-type]
        database_url="postgresql+asyncpg://ferry:p%40ssword@db/ferry",
    )  # fmt: skip


def logged(formatter: logging.Formatter) -> str:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(formatter)
    handler.addFilter(AddContext())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    with log_context(job_id=UUID(int=7), attempt=2):
        try:
            raise ValueError(f'cannot fetch "{LINK}\\" with api-key-22 at p@ssword')
        except ValueError as error:
            logger.exception(
                "%s failed: %s %d", f"/f/{TOKEN}\\", error, 3, extra={"about": {"key": "api-key-1"}}
            )
    return out.getvalue()


def test_secrets_are_the_settings_that_do_not_show_themselves(settings: Settings) -> None:
    assert secrets_of(settings) == {
        "signing-key-0123456",
        "api-key-1",
        "api-key-22",
        "x",
        "p%40ssword",
        "p@ssword",
    }


@pytest.mark.parametrize("kind", [TextFormatter, JsonLines])
def test_messages_arguments_and_tracebacks_hold_no_secret(
    settings: Settings, kind: type[TextFormatter] | type[JsonLines]
) -> None:
    text = logged(kind(redactor(secrets_of(settings))))
    assert "Traceback" in text and "[token]" in text and "[secret]" in text
    assert not any(secret in text for secret in (TOKEN, "api-key", "p@ssword", "p%40ssword"))
    assert str(UUID(int=7)) in text


def test_a_json_line_stays_json(settings: Settings) -> None:
    text = logged(JsonLines(redactor(secrets_of(settings))))
    assert text.count("\n") == 1
    line = json.loads(text)
    assert (line["level"], line["job_id"], line["attempt"]) == ("ERROR", str(UUID(int=7)), 2)
    assert line["message"].startswith("/f/[token]")
    assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)


BOT = "7000000001:AAHsome-token-of-the-tests-000000000"
CHAT_TOKENS = (
    BOT,
    f"https://api.telegram.org/bot{BOT}/getMe",
    "/bot123456:short/getMe",
    "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
    "xoxp-23984754863-2348975623103",
    "xoxe.xoxp-1-Mi0yLTM0MTQwNDE0MDE3Ni0zNjU5ND",
    "xoxe-1-My0xLTM0MTQwNDE0MDE3Ni0zNzE",
    "xapp-1-A0123456-3454545454-6c3ff8be1",
)


@pytest.mark.parametrize("token", CHAT_TOKENS)
@pytest.mark.parametrize("kind", [TextFormatter, JsonLines])
def test_the_tokens_of_chats_are_known_by_their_looks(
    kind: type[TextFormatter] | type[JsonLines], token: str
) -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(kind(redactor(set())))
    handler.addFilter(AddContext())
    logger = logging.Logger("test")
    logger.addHandler(handler)
    request = httpx.Request("POST", "https://api.telegram.org/getMe", headers={"x": token})
    try:
        httpx.Response(502, request=request).raise_for_status()
    except httpx.HTTPStatusError as error:
        error.add_note(f"asked with {token}")
        logger.warning("%s: %r", token, [token], exc_info=error)
    text = out.getvalue()
    secret = max(token.removeprefix("/").split("/"), key=len) if "bot" in token else token
    assert secret.partition(":")[2] not in text if ":" in secret else secret not in text
    assert text.count("[token]") == 3 and "HTTPStatusError" in text


def test_ordinary_words_stay() -> None:
    text = "POST https://api.telegram.org/bot7:x at 12:30:45, job 123456:abc, /bottle/1, xoxo, box-office"
    assert redact_chat_tokens(text) == text.replace("/bot7:x", "/bot7:[token]")


@pytest.fixture
def lines(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[Any]]]:
    """What a process with these settings has written to its log, as JSON."""
    out = io.StringIO()
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    for module, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "stderr")):
        monkeypatch.setattr(module, name, out if name == "stderr" else getattr(module, name))
    for name in QUIET:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    set_up_logging(settings)
    yield lambda: [json.loads(line) for line in out.getvalue().splitlines()]
    logging.captureWarnings(False)


@pytest.mark.usefixtures("lines")
def test_what_chat_libraries_chat_about_is_not_logged() -> None:
    for name in ("httpx", "httpcore", "telegram.Bot", "slack_bolt.App", "slack_sdk.web", "aiohttp.access"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name
        assert logging.getLogger(name).isEnabledFor(logging.WARNING), name


JOB, REQUEST = UUID(int=7), UUID(int=8)
Lines = Callable[[], list[Any]]


async def test_every_line_names_what_it_is_about(lines: Lines) -> None:
    log = logging.getLogger("shared.chat.deliver")
    log.info("nothing")
    with log_context(platform="telegram", request_id=REQUEST):
        with log_context(job_id=JOB, attempt=0):
            log.info("everything")
            begun_inside = asyncio.create_task(asyncio.to_thread(log.info, "elsewhere"))
        log.info("less")
    await begun_inside
    nothing, everything, less, elsewhere = lines()
    subject = {"platform": "telegram", "request_id": str(REQUEST)}
    whole = subject | {"job_id": str(JOB), "attempt": 0}
    bare = {"time", "level", "name", "message"}
    assert nothing.keys() == bare, "and nothing that does not apply"
    assert [{name: line[name] for name in line.keys() - bare} for line in (everything, less, elsewhere)] == [
        whole,
        subject,
        whole,
    ]


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("bots.telegram.life", "telegram"),
        ("telegram.ext", "telegram"),
        ("shared.chat.slack.web", "slack"),
        ("slack_bolt.App", "slack"),
        ("bots.web.api", None),
        ("somebody.slackers", None),
    ],
)
def test_what_only_one_platform_says_is_of_that_platform(
    lines: Lines, name: str, platform: str | None
) -> None:
    logging.getLogger(name).warning("a line")
    assert lines()[0].get("platform") == platform


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_what_a_task_raises_that_nobody_awaits_is_a_line_without_secrets(
    lines: Lines, run: Callable[..., None]
) -> None:
    async def forget_a_task() -> None:
        async def fail() -> None:
            raise RuntimeError("the key was api-key-22")

        with log_context(job_id=JOB):
            task = asyncio.create_task(fail())
        await asyncio.wait([task])
        del task
        gc.collect()

    run(forget_a_task())
    (line,) = lines()
    assert (line["level"], line["name"]) == ("ERROR", "asyncio")
    assert "RuntimeError: the key was [secret]" in line["exc_info"] and "api-key-22" not in str(line)


def test_threads_warnings_and_what_ends_the_process_are_lines_without_secrets(lines: Lines) -> None:
    def fail() -> None:
        raise RuntimeError("p@ssword")

    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    warnings.showwarning("p@ssword is old", UserWarning, "file.py", 1)
    try:
        fail()
    except RuntimeError as error:
        sys.excepthook(RuntimeError, error, error.__traceback__)
    in_thread, warned, at_the_end = lines()
    assert "[secret]" in in_thread["exc_info"] and "[secret]" in at_the_end["exc_info"]
    assert warned["name"] == "py.warnings" and "[secret] is old" in warned["message"]
    assert "p@ssword" not in str(lines())


@pytest.mark.parametrize(
    "name", ["uvicorn.error", "aio_pika.robust_connection", "sqlalchemy.pool", "a.new.one"]
)
def test_libraries_write_through_the_same_handler(
    lines: Lines, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, name)  # servers of other tests in this process keep theirs quiet
    logging.getLogger(name).error("connecting with %s", "p%40ssword", exc_info=ValueError("p@ssword"))
    (line,) = lines()
    assert (line["name"], line["message"]) == (name, "connecting with [secret]")
    assert "p@ssword" not in str(line)


def test_lines_for_people_name_the_job_or_else_the_request() -> None:
    formatter = TextFormatter(redactor(set()))

    def written() -> str:
        record = logging.LogRecord("a.module", logging.INFO, "", 0, "words", (), None)
        AddContext().filter(record)
        return formatter.format(record).partition("a.module ")[2]

    assert written() == "[-] words"
    with log_context(request_id=REQUEST):
        assert written() == f"[{REQUEST}] words"
        with log_context(job_id=JOB):
            assert written() == f"[{JOB}] words"
