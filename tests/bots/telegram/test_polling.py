"""Polling: what is not stored is not confirmed, and nothing else stops it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from telegram import Update

from bots.desk import Desk
from bots.telegram.handlers import TelegramBot
from bots.telegram.reception import Reception
from bots.telegram.updates import Poller, place_of
from shared.chat.telegram.bot import open_bot
from tests.bots.telegram.conftest import Chatting, chatting, settings_for
from tests.telegram.double import TelegramDouble

LINK = "https://example.com/watch?v=abc123"

AWAY = OperationalError("INSERT", {}, OSError("the database is away"))


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("is_stored", [False, True])
async def test_a_kill_around_the_store_loses_nothing_and_doubles_nothing(
    telegram: TelegramDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_stored: bool
) -> None:
    private = telegram.private(ann := telegram.user("Ann"))
    settings = settings_for(tmp_path / "data", telegram, telegram_allowed=(str(ann.id),))
    take = Desk.take

    async def killed(*given: Any) -> Any:
        if is_stored:
            await take(*given)
        raise Killed

    sent = await private.sends(f"/get {LINK}")
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BaseExceptionGroup) as raised:
        patch.setattr(Desk, "take", killed)
        async with chatting(settings):
            await asyncio.sleep(20)
    assert raised.group_contains(Killed)
    assert sent.update in list(telegram.updates.pending.values()), "it was not confirmed"
    async with chatting(settings) as parts:
        await private.shows("Queued")
        chat = Chatting(telegram, parts, ann, ann)
        await chat.quiet()
        assert len(await chat.requests()) == 1


async def test_a_database_that_is_away_costs_time_only(
    chat: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failures = Desk.take, iter(range(3))

    async def sometimes(*given: Any) -> Any:
        if next(failures, None) is not None:
            raise AWAY
        return await take(*given)

    monkeypatch.setattr(Desk, "take", sometimes)
    await chat.private.sends(f"/get {LINK}")
    await chat.private.shows("Queued")
    await chat.quiet()
    assert len(await chat.requests()) == 1


async def test_an_update_that_only_ever_fails_is_left_out_in_the_end(
    chat: Chatting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handle = TelegramBot._said

    async def poisoned(self: TelegramBot, said: Any) -> None:
        if "poison" in said.text:
            raise AWAY
        if "wrong" in said.text:
            raise ZeroDivisionError
        await handle(self, said)

    monkeypatch.setattr(TelegramBot, "_said", poisoned)
    for text in ("wrong", "poison", f"/get {LINK}"):
        await chat.private.sends(text)
    await chat.private.shows("Queued")
    assert "fails again and again" in caplog.text and "ZeroDivisionError" in caplog.text


async def test_chats_do_not_wait_for_each_other_but_a_chat_keeps_its_order(
    chat: Chatting,
) -> None:
    order: list[str] = []
    go_on = asyncio.Event()

    async def handle(update: Update) -> None:
        assert update.message is not None and update.message.text is not None
        if update.message.text == "slow":
            await go_on.wait()
        order.append(update.message.text)

    bob = chat.telegram.private(chat.bob)
    bot = open_bot(chat.parts.settings)
    poller = Poller(bot, Reception(bot, handle, chat.parts.database))
    updates = [
        (await one.sends(text)).update
        for one, text in ((chat.private, "slow"), (chat.private, "after"), (bob, "quick"))
    ]
    taking = asyncio.create_task(poller._take(updates))
    while not order:
        await asyncio.sleep(0.01)
    assert order == ["quick"]
    go_on.set()
    await taking
    assert order == ["quick", "slow", "after"]


async def test_somebody_else_polls_too(chat: Chatting, caplog: pytest.LogCaptureFixture) -> None:
    chat.telegram.fail_next("getUpdates", 409, 409)
    await chat.private.sends("/help")
    await chat.private.shows("/subs")
    await chat.private.sends(f"/get {LINK}")
    await chat.private.shows("Queued")
    assert "is another linkferry running" in caplog.text


async def test_the_network_comes_and_goes(chat: Chatting) -> None:
    chat.telegram.fail_next("getUpdates", 502, 500, 429)
    await chat.private.sends("/help")
    await chat.private.shows("/subs")
    await chat.private.sends(f"/get {LINK}")
    await chat.private.shows("Queued")


async def test_a_wrong_token_is_one_sentence_and_the_rest_runs(
    telegram: TelegramDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = "7000000000:AAHsome-other-token-of-the-tests-00000"
    async with chatting(settings_for(tmp_path, telegram, telegram_token=wrong)):
        while "Telegram is off" not in caplog.text:
            await asyncio.sleep(0.01)
    assert wrong not in caplog.text and "Traceback" not in caplog.text


async def test_pending_updates_are_never_dropped(telegram: TelegramDouble, tmp_path: Path) -> None:
    private = telegram.private(ann := telegram.user("Ann"))
    await private.sends(f"/get {LINK}")
    async with chatting(settings_for(tmp_path, telegram, telegram_allowed=(str(ann.id),))):
        await private.shows("Queued")
    assert not telegram.updates.dropped
    assert not telegram.updates.pending, "what was handled is confirmed before the process ends"


def test_where_an_update_belongs() -> None:
    assert place_of({"update_id": 1, "message": {"chat": {"id": 5}}}) == "5"
    assert place_of({"callback_query": {"message": {"chat": {"id": 5}}}}) == "5"
    assert place_of({"my_chat_member": {"chat": {"id": -5}}}) == "-5"
    odd: list[object] = [{}, [], None, {"message": 3}, {"callback_query": {}}]
    assert [place_of(each) for each in odd] == [None] * 5
