"""Logs: who reads them must learn neither a key nor a link."""

import io
import json
import logging
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import pytest

from shared.links import Links
from shared.settings import Settings
from shared.telemetry import (
    QUIET,
    AddContext,
    JsonLines,
    TextFormatter,
    job_context,
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
    with job_context(UUID(int=7), 2):
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


def test_what_chat_libraries_chat_about_is_not_logged(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(root, "level", root.level)
    for name in QUIET:
        monkeypatch.setattr(logging.getLogger(name), "level", logging.NOTSET)
    set_up_logging(settings)
    for name in ("httpx", "httpcore", "telegram.Bot", "slack_bolt.App", "slack_sdk.web", "aiohttp.access"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name
        assert logging.getLogger(name).isEnabledFor(logging.WARNING), name
