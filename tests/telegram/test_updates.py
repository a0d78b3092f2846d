"""What reaches the bot, and how: polling, webhooks, privacy mode, presses."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, Update
from telegram.error import BadRequest, Conflict
from telegram.ext import Application, CallbackContext, MessageHandler, filters

from tests.telegram.clock import Clock
from tests.telegram.conftest import bot_of
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private
from tests.waiting import eventually


def texts(updates: tuple[Update, ...]) -> list[str | None]:
    return [one.effective_message.text for one in updates if one.effective_message]


# polling


async def test_an_offset_confirms_everything_below_it(bot: Bot, chat: Private) -> None:
    for text in "abc":
        await chat.sends(text)
    first = await bot.get_updates()
    assert texts(first) == texts(await bot.get_updates()) == ["a", "b", "c"]
    assert texts(await bot.get_updates(offset=first[1].update_id, limit=1)) == ["b"]
    assert texts(await bot.get_updates(offset=first[2].update_id + 1)) == []
    assert texts(await bot.get_updates()) == []


async def test_a_negative_offset_counts_from_the_end(bot: Bot, chat: Private) -> None:
    for text in "abc":
        await chat.sends(text)
    assert texts(await bot.get_updates(offset=-1)) == texts(await bot.get_updates()) == ["c"]


async def test_a_poll_waits_for_the_next_update(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=10))
    await telegram.until(lambda: bool(telegram.made("getUpdates")))
    await chat.sends("now")
    assert texts(await poll) == ["now"]


async def test_two_pollers_are_one_too_many(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    first = asyncio.create_task(bot.get_updates(timeout=10))
    await telegram.until(lambda: len(telegram.made("getUpdates")) == 1)
    async with bot_of(telegram) as other:
        second = asyncio.create_task(other.get_updates(timeout=10))
        with pytest.raises(Conflict, match="terminated by other getUpdates request"):
            await first
        await chat.sends("now")
        assert texts(await second) == ["now"]


async def test_polling_and_a_webhook_exclude_each_other(telegram: TelegramDouble, bot: Bot) -> None:
    poll = asyncio.create_task(bot.get_updates(timeout=10))
    await telegram.until(lambda: bool(telegram.made("getUpdates")))
    await bot.set_webhook("https://bot.invalid/hook")
    with pytest.raises(Conflict, match="terminated by setWebhook request"):
        await poll
    with pytest.raises(Conflict, match="can't use getUpdates method while webhook is active"):
        await bot.get_updates()
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == () and telegram.updates.dropped


async def test_updates_nobody_asked_for_do_not_come(bot: Bot, chat: Private) -> None:
    await bot.get_updates(allowed_updates=["callback_query", "my_chat_member"])
    await chat.sends("a")
    await chat.blocks_bot()
    assert [one.my_chat_member is not None for one in await bot.get_updates()] == [True]


async def test_an_update_comes_again(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    sent = await chat.sends("a")
    (update,) = await bot.get_updates()
    await bot.get_updates(offset=update.update_id + 1)
    telegram.repeat(sent.update)
    assert (await bot.get_updates(offset=update.update_id + 1))[0].update_id == update.update_id


async def test_the_librarys_own_application_polls(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    async def echo(update: Update, _: CallbackContext[Any, Any, Any, Any]) -> None:
        assert update.effective_message is not None
        await update.effective_message.reply_text(f"{update.effective_message.text}!")

    application = Application.builder().bot(bot).build()
    application.add_handler(MessageHandler(filters.TEXT, echo))
    assert application.updater is not None
    await application.initialize()
    await application.start()
    await application.updater.start_polling(allowed_updates=["message"])
    await chat.sends("hello")
    await chat.shows("hello!")
    await application.updater.stop()
    await application.stop()
    await application.shutdown()
    assert not telegram.updates.pending and telegram.updates.allowed == {"message"}


# webhooks


class Hook:
    """A webhook that answers with the given statuses, then with 200."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.secrets: list[str] = []
        self.updates: list[dict[str, Any]] = []
        self.url = ""

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        self.updates.append(json.loads(await reader.readexactly(int(headers["content-length"]))))
        self.secrets.append(headers.get("x-telegram-bot-api-secret-token", ""))
        status = self.statuses.pop(0) if self.statuses else 200
        writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    @contextlib.asynccontextmanager
    async def runs(self) -> AsyncIterator["Hook"]:
        server = await asyncio.start_server(self.answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/telegram"
        async with server:
            yield self


async def test_a_webhook_gets_what_waits_and_what_comes(
    telegram: TelegramDouble, bot: Bot, chat: Private
) -> None:
    await chat.sends("before")
    async with Hook().runs() as hook:
        await bot.set_webhook(hook.url, secret_token="s3cret-token")
        sent = await chat.sends("after")
        telegram.repeat(sent.update)
        await eventually(lambda: len(hook.updates) == 3)
        assert [one["message"]["text"] for one in hook.updates] == ["before", "after", "after"]
        assert set(hook.secrets) == {"s3cret-token"}
        assert (await bot.get_webhook_info()).pending_update_count == 0


async def test_a_refused_update_comes_until_it_is_taken(
    telegram: TelegramDouble, bot: Bot, chat: Private
) -> None:
    telegram.updates.push_retry = 0.01
    async with Hook(500, 503).runs() as hook:
        await bot.set_webhook(hook.url)
        await chat.sends("a")
        await chat.sends("b")
        await eventually(lambda: len(hook.updates) == 4)
        assert [one["message"]["text"] for one in hook.updates] == ["a", "a", "a", "b"]
        info = await bot.get_webhook_info()
        assert info.last_error_message == "Wrong response from the webhook: 503 X"


async def test_a_webhook_needs_tls_and_a_plain_secret() -> None:
    async with TelegramDouble() as telegram, bot_of(telegram) as bot:
        with pytest.raises(BadRequest, match="Bad webhook: an https url must be provided for webhook"):
            await bot.set_webhook("http://example.com/hook")
        with pytest.raises(BadRequest, match="Secret token contains unallowed characters"):
            await bot.set_webhook("https://example.com/hook", secret_token="no spaces")


# groups


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        ("https://example.com", False),
        ("hello linkferry_bot", False),
        ("/get https://example.com", True),
        ("/get@linkferry_bot https://example.com", True),
        ("/get@Linkferry_Bot x", True),
        ("/get@other_bot https://example.com", False),
        ("@linkferry_bot https://example.com", True),
        ("ask @linkferry_bots", False),
    ],
)
async def test_privacy_mode(telegram: TelegramDouble, bot: Bot, text: str, arrives: bool) -> None:
    group = telegram.group("Team", telegram.user("Ann"))
    sent = await group.sends(text)
    assert (sent.update is not None) == bool(await bot.get_updates()) == arrives


async def test_in_a_group_replies_to_the_bot_or_to_what_it_was_asked_arrive(
    telegram: TelegramDouble, bot: Bot
) -> None:
    ann, bob = telegram.user("Ann"), telegram.user("Bob")
    group = telegram.group("Team", ann, bob)
    message = await bot.send_message(group.id, "Done")
    other = await group.sends("nice", by=bob)
    assert (await group.sends("thanks", reply_to=message.message_id)).update is not None
    assert (await group.sends("indeed", reply_to=other)).update is None
    asked = await group.sends("/get https://example.com")
    assert (await group.sends("and in 720p?", reply_to=asked)).update is not None
    assert (await telegram.group("Ours", ann, bot_is_admin=True).sends("anything")).update is not None


# presses


async def test_a_press_and_its_answer(
    telegram: TelegramDouble, bot: Bot, chat: Private, clock: Clock
) -> None:
    row = [
        InlineKeyboardButton("720p", callback_data="q:720"),
        InlineKeyboardButton("Site", url="https://example.com"),
    ]
    message = await bot.send_message(chat.id, "Quality?", reply_markup=InlineKeyboardMarkup([row]))
    shown = await chat.shows("Quality?")
    press = await chat.presses(shown, "720p")
    (update,) = await bot.get_updates()
    query = update.callback_query
    assert query is not None and query.data == "q:720" and query.message == message
    with pytest.raises(BadRequest, match="Message_too_long"):
        await query.answer("x" * 201)
    await query.answer("Chosen", show_alert=True)
    assert await press.answered() == "Chosen" and press.is_alert
    with pytest.raises(AssertionError, match="no button '1080p'"):
        await chat.presses(shown, "1080p")
    with pytest.raises(AssertionError, match="it sends nothing to the bot"):
        await chat.presses(shown, "Site")
    late = await chat.presses(shown, "720p")
    clock.advance(31)
    for query_id in (late.id, "12345"):
        with pytest.raises(
            BadRequest, match="Query is too old and response timeout expired or query id is invalid"
        ):
            await bot.answer_callback_query(query_id)


async def test_a_press_on_a_message_that_is_gone(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Again", callback_data="x")]])
    await bot.send_message(chat.id, "a", reply_markup=keyboard)
    shown = await chat.shows(lambda one: one.labels == ["Again"])
    await chat.deletes(shown)
    await chat.presses(shown, "Again")
    (update,) = await bot.get_updates()
    assert update.callback_query is not None and update.callback_query.message is not None
    assert not update.callback_query.message.is_accessible


async def test_waiting_for_what_never_comes_says_what_is_there(bot: Bot, chat: Private) -> None:
    await bot.send_message(chat.id, "something else")
    with pytest.raises(AssertionError, match="something else"):
        await chat.shows("Done", patience=0.01)
