"""Polling: what is not stored is not confirmed, and nothing else stops it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError
from telegram import Update

import bots.telegram.updates
from bots.desk import Desk
from bots.telegram.handlers import TelegramBot
from bots.telegram.reception import Reception
from bots.telegram.texts import LEFT_OUT
from bots.telegram.updates import Poller, place_of
from tests.bots.telegram.conftest import Chatting, chatting, settings_for
from tests.subjects import recorded, subject
from tests.telegram.double import TelegramDouble
from tests.waiting import eventually

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
            await asyncio.sleep(60)
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
    await chat.telegram.until(lambda: sum(LEFT_OUT in one.text for one in chat.private.messages) == 2)


async def test_what_is_logged_while_an_update_is_handled_names_telegram(
    chat: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Desk.take

    async def talkative(*given: Any) -> Any:
        logging.getLogger("shared.anything").info("somebody asks")
        return await take(*given)

    monkeypatch.setattr(Desk, "take", talkative)
    with recorded() as records:
        await chat.private.sends(f"/get {LINK}")
        await chat.private.shows("Queued")
    assert subject(records, "somebody asks") == {"platform": "telegram"}
    (request,) = await chat.requests()
    told = {"platform": "telegram", "request_id": str(request.id), "job_id": str(request.job_id)}
    assert subject(records, "a request was taken in") == told


class Line:
    """Telegram's side of getUpdates: what comes before the offset is confirmed, the rest comes at once."""

    username = "linkferry_bot"

    def __init__(self, *texts: tuple[int, str]) -> None:
        self.offsets: list[int] = []
        self.updates: list[dict[str, Any]] = []
        self.came = 880_000_000
        for chat, text in texts:
            self.says(chat, text)

    def says(self, chat: int, text: str) -> None:
        """Somebody writes in this chat."""
        self.came += 1
        where = {"id": chat, "type": "private"}
        message = {"message_id": 1, "date": 1790000000, "chat": where, "text": text}
        self.updates.append({"update_id": self.came, "message": message})

    async def do_api_request(self, method: str, asked: dict[str, Any], **_: Any) -> list[dict[str, Any]]:
        """The next hundred."""
        numbers = [each["update_id"] for each in self.updates]
        if asked["offset"] - 1 in numbers:
            self.updates = self.updates[numbers.index(asked["offset"] - 1) + 1 :]
        self.offsets.append(asked["offset"])
        await asyncio.sleep(0 if self.updates else 0.01)
        return self.updates[:100]


class Handled:
    """What was handled, in its order; `slow` waits until the gate is open."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.gate = asyncio.Event()

    async def __call__(self, update: Update) -> None:
        assert update.message is not None and update.message.text is not None
        self.texts.append(update.message.text)
        if update.message.text == "slow":
            await self.gate.wait()

    async def until(self, *texts: str) -> None:
        """Wait until all this was begun, in any order of the chats."""
        await eventually(lambda: sorted(self.texts) == sorted(texts))


@asynccontextmanager
async def polling(line: Line, handled: Handled, chat: Chatting) -> AsyncIterator[None]:
    bot: Any = line
    poller = Poller(bot, Reception(bot, handled, chat.parts.database))
    async with asyncio.TaskGroup() as group:
        group.create_task(poller.run())
        yield
        handled.gate.set()
        poller.stop()


async def test_a_chat_that_takes_long_keeps_its_order_and_holds_nobody_up(
    chat: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots.telegram.updates, "LOOK", 0.02)
    line, handled = Line((7, "first"), (5, "slow"), (5, "after"), (6, "quick")), Handled()
    began = asyncio.get_running_loop().time()
    async with polling(line, handled, chat):
        await handled.until("first", "slow", "quick")
        line.says(6, "new")
        line.says(5, "last")
        await handled.until("first", "slow", "quick", "new")
        await asyncio.sleep(0.1)
        assert line.offsets[-1] == 880_000_002, "what is not handled is not confirmed, nor what is behind it"
        most = 10 + (asyncio.get_running_loop().time() - began) / bots.telegram.updates.LOOK
        assert len(line.offsets) < most, "nor asked for all the time"
        handled.gate.set()
        await handled.until("first", "slow", "quick", "new", "after", "last")
    assert [text for text in handled.texts if text in ("slow", "after", "last")] == ["slow", "after", "last"]
    assert line.updates == [], "all is confirmed in the end"


async def test_numbers_of_updates_that_start_anew_are_followed(chat: Chatting) -> None:
    line, handled = Line((5, "old")), Handled()
    async with polling(line, handled, chat):
        await handled.until("old")
        line.came = 40  # a week of silence, or a server that lost its memory
        line.says(5, "new")
        await handled.until("old", "new")
        line.says(5, "newer")
        await handled.until("old", "new", "newer")
        await asyncio.sleep(0.05)
    assert handled.texts == ["old", "new", "newer"] and line.offsets[-1] == 43


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
        await eventually(lambda: "Telegram is off" in caplog.text)
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
