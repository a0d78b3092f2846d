"""The commands as processes: people are served, and a signal ends everything well."""

import asyncio
import signal

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
