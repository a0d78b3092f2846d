"""Settings come from arguments, variables, files and `.env`, and keep their secrets."""

import logging
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from shared.errors import ConfigError
from shared.settings import DAY, PREFIX, Settings

SECRET = "s3cret-value"


@pytest.fixture(autouse=True)
def clean_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variables and no `.env` of whoever runs the tests."""
    for name in os.environ:
        if name.startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_defaults_need_no_configuration(clean_place: Path) -> None:
    settings = Settings()
    assert settings.effective_database_url == f"sqlite+aiosqlite:///{clean_place}/data/linkferry.db"
    assert settings.effective_public_url == "http://localhost:8080"
    assert settings.queue_url == "embedded"
    assert settings.host == "127.0.0.1"
    assert settings.max_bytes == 5 * 10**9
    assert settings.link_ttl == DAY


def test_a_variable_sets_a_field(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKFERRY_PUBLIC_URL", "https://ferry.example/")
    monkeypatch.setenv("LINKFERRY_MAX_FILE_SIZE_GB", "0.5")
    monkeypatch.setenv("LINKFERRY_DATABASE_URL", "postgresql+asyncpg://db/ferry")
    settings = Settings()
    assert settings.effective_public_url == "https://ferry.example"
    assert settings.max_bytes == 500_000_000
    assert settings.effective_database_url == "postgresql+asyncpg://db/ferry"


@pytest.mark.parametrize("name", ["secret_keys", "api_keys", "telegram_allowed"])
def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"LINKFERRY_{name.upper()}", " one, two,,three ,")
    assert getattr(Settings(), name) == ("one", "two", "three")
    monkeypatch.setenv(f"LINKFERRY_{name.upper()}", "")
    assert getattr(Settings(), name) == ()


def test_a_file_holds_a_secret(monkeypatch: pytest.MonkeyPatch, clean_place: Path) -> None:
    (clean_place / "keys").write_text("new,old\n")
    monkeypatch.setenv("LINKFERRY_SECRET_KEYS_FILE", str(clean_place / "keys"))
    assert Settings().secret_keys == ("new", "old")


def test_a_line_of_dotenv_may_name_the_file(clean_place: Path) -> None:
    (clean_place / "keys").write_text("new,old\n")
    (clean_place / ".env").write_text(f"LINKFERRY_SECRET_KEYS_FILE={clean_place / 'keys'}\n")
    assert Settings().secret_keys == ("new", "old")


def test_a_file_that_cannot_be_read_is_named_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINKFERRY_API_KEYS_FILE", "missing")
    with pytest.raises(ConfigError, match=r"LINKFERRY_API_KEYS_FILE .* No such file"):
        Settings()


def test_a_cookie_file_that_cannot_be_read_is_named_by_its_variable(clean_place: Path) -> None:
    cookies = clean_place / "cookies.txt"
    cookies.write_bytes(b"mine")
    assert (Settings().read_cookies(), Settings(cookie_file=cookies).read_cookies()) == (None, b"mine")
    with pytest.raises(ConfigError, match=r"LINKFERRY_COOKIE_FILE .* No such file"):
        Settings(cookie_file=clean_place / "missing").read_cookies()


def test_arguments_win_over_variables_over_files_over_dotenv(
    monkeypatch: pytest.MonkeyPatch, clean_place: Path
) -> None:
    (clean_place / ".env").write_text("LINKFERRY_PORT=1001\nLINKFERRY_SOMETHING_ELSE=x\n")
    assert Settings().port == 1001
    (clean_place / "port").write_text("1002")
    monkeypatch.setenv("LINKFERRY_PORT_FILE", str(clean_place / "port"))
    assert Settings().port == 1002
    monkeypatch.setenv("LINKFERRY_PORT", "1003")
    assert Settings().port == 1003
    assert Settings(port=1004).port == 1004


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("PORT", "http", "valid integer"),
        ("PORT", "70000", "less than or equal to 65535"),
        ("MAX_CONCURRENT_DOWNLOADS", "0", "greater than or equal to 1"),
        ("MAX_FILE_SIZE_GB", "-1", "greater than 0"),
        ("LINK_TTL", str(8 * DAY), f"less than or equal to {7 * DAY}"),
        ("PLAYLIST_LIMIT", "5", "less than or equal to 1"),
        ("LOG_FORMAT", "xml", "'auto', 'text' or 'json'"),
    ],
)
def test_a_wrong_value_says_where_and_why(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, complaint: str
) -> None:
    monkeypatch.setenv(f"LINKFERRY_{variable}", value)
    with pytest.raises(ValidationError) as caught:
        Settings()
    assert variable.lower() in str(caught.value)
    assert complaint in str(caught.value)


def test_settings_do_not_change_while_the_program_runs() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


def secrets() -> dict[str, object]:
    return {
        "secret_keys": (SECRET,),
        "api_keys": (SECRET,),
        "database_url": f"postgresql+asyncpg://ferry:{SECRET}@db/ferry",
        "queue_url": f"amqp://ferry:{SECRET}@queue/",
    }


def test_secrets_do_not_show_when_settings_are_printed_or_logged(caplog: pytest.LogCaptureFixture) -> None:
    settings = Settings.model_validate(secrets())
    logging.getLogger("test").warning("started with %s and %r", settings, settings)
    assert SECRET not in f"{settings} {settings!r} {caplog.text}"
    assert "port=8080" in repr(settings)


@pytest.mark.parametrize("name", list(secrets()))
def test_a_wrong_value_is_not_repeated(name: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({name: {SECRET: SECRET}})
    assert name in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "10.0.0.0/8",
        "127.0.0.1",
        "127.0.0.1:8080",
        "nas.local:80",
        "nas:65535",
        "fd00::/8",
        "[::1]:443",
        "::1",
    ],
)
def test_an_allowed_address_is_a_network_or_a_host_with_a_port(text: str) -> None:
    assert Settings(allowed_addresses=(text,)).allowed_addresses == (text,)


@pytest.mark.parametrize(
    "text",
    ["10.0.0.0/8x", "10.0.0.0/99", "http://nas", "a b", "nas:port", "hello", "127.0.0.1:99999", "nas:0",
     "10.0.0.0/8:80", "[::1]", "[nas]:80", "[1:2]:80", "300.1.1.1"],
)  # fmt: skip
def test_an_allowed_address_that_is_none_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="neither a network"):
        Settings(allowed_addresses=(text,))


@pytest.mark.parametrize(
    "text", ["", "https://ferry.example.org", "http://127.0.0.1:8080/ferry/", "HTTPS://X/"]
)
def test_a_public_address_is_one_for_a_browser(text: str) -> None:
    assert Settings(public_url=text).public_url == text


@pytest.mark.parametrize(
    "text", ["ftp://x", "example.org", "localhost:8080", "https://", "http://x:99999", "http://["]
)
def test_a_public_address_that_is_none_is_refused_at_the_start(text: str) -> None:
    with pytest.raises(ValidationError, match="must start with http:// or https:// and name a host"):
        Settings(public_url=text)
