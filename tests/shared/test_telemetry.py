"""Logs: who reads them must learn neither a key nor a link."""

import io
import json
import logging
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from shared.links import Links
from shared.settings import Settings
from shared.telemetry import AddContext, JsonLines, TextFormatter, job_context, redactor, secrets_of

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
