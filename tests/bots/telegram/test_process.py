"""The commands as processes: people are served, and a signal ends everything well."""

import asyncio
import signal
import subprocess

import pytest

from tests.linkferry.conftest import Home, finish, home
from tests.telegram.double import TelegramDouble

__all__ = ["home"]

LINK = "https://127.0.0.1:9/film"  # nobody may go there, so the answer comes at once


@pytest.mark.slow
@pytest.mark.parametrize("command", ["up", "bots"])
async def test_somebody_is_served_and_the_end_is_clean(
    telegram: TelegramDouble, home: Home, command: str
) -> None:
    private = telegram.private(ann := telegram.user("Ann"))
    await private.sends(f"/get {LINK}")
    process = home.start(
        command, TELEGRAM_TOKEN=telegram.token, TELEGRAM_API_URL=telegram.url, TELEGRAM_ALLOWED=str(ann.id)
    )
    words = "private network address" if command == "up" else "Queued"
    status = await private.shows(words, patience=40)
    assert len(private.messages) == 1, status
    process.send_signal(signal.SIGTERM)
    done = await asyncio.to_thread(finish, process)
    assert done.code == 0 and "stopped" in done.err and telegram.token not in done.err
    assert not telegram.updates.pending


@pytest.mark.slow
async def test_doctor_knows_the_bot(telegram: TelegramDouble, home: Home) -> None:
    good = {"TELEGRAM_API_URL": telegram.url, "TELEGRAM_TOKEN": telegram.token}
    wrong = good | {"TELEGRAM_TOKEN": "7000000000:AAHsome-other-token-of-the-tests-00000"}
    lines = {
        "ok    telegram      @linkferry_bot, by polling": good,
        "note  telegram      The token is not known.": wrong,
        "ok    telegram      off: no token": {},
    }
    for line, settings in lines.items():
        done = await asyncio.to_thread(home.run, "doctor", **settings)
        assert line in done.out, done.out


@pytest.mark.slow
async def test_no_log_ever_tells_the_token(telegram: TelegramDouble, home: Home) -> None:
    private = telegram.private(ann := telegram.user("Ann"))
    words = f"cannot hand on: POST {telegram.url}/bot{telegram.token}/x"
    refused = {
        "getMe": 502,
        "setMyCommands": 400,
        "deleteWebhook": 500,
        "getUpdates": 400,
        "sendMessage": 502,
    }
    for method, status in refused.items():
        telegram.fail_next(method, status, description=words)
    settings = {"TELEGRAM_TOKEN": telegram.token, "TELEGRAM_ALLOWED": str(ann.id), "LOG_FORMAT": "text"}
    process = home.start("bots", **settings, TELEGRAM_API_URL=telegram.url)
    await private.sends(f"/get {LINK}")
    await telegram.until(lambda: all(telegram.made(method) for method in refused), 60)
    process.send_signal(signal.SIGTERM)
    logs = [(await asyncio.to_thread(finish, process)).err]
    assert logs[0].count("cannot hand on") >= len(refused) - 1, "the last one may come with the end"
    for wrong in ("telegram.example", "ftp://127.0.0.1", "http://[::1", "http://127.0.0.1:9/bot"):
        process = home.start("bots", **settings, TELEGRAM_API_URL=wrong)
        logs.append(await asyncio.to_thread(_until_complaint, process))
        process.send_signal(signal.SIGTERM)
        logs.append((await asyncio.to_thread(finish, process)).err)
    secret = telegram.token.partition(":")[2]
    assert not any(secret in log for log in logs), logs


def _until_complaint(process: subprocess.Popen[str]) -> str:
    """The log until it says that Telegram cannot be reached."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if "Telegram cannot be reached" in line:
            return "".join(lines)
    raise AssertionError("".join(lines))
