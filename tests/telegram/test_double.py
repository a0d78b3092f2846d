"""The double keeps Telegram's rules: each through python-telegram-bot's own Bot."""

from collections.abc import AsyncIterator

import pytest
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputMediaVideo
from telegram.constants import ParseMode

from tests.telegram.double import TelegramDouble


@pytest.fixture
async def telegram() -> AsyncIterator[TelegramDouble]:
    async with TelegramDouble() as running:
        yield running


@pytest.fixture
async def bot(telegram: TelegramDouble) -> AsyncIterator[Bot]:
    url = telegram.url
    async with Bot(telegram.token, base_url=f"{url}/bot", base_file_url=f"{url}/file/bot") as running:
        yield running


async def test_a_link_becomes_a_video_in_place(telegram: TelegramDouble, bot: Bot) -> None:
    chat = telegram.private(telegram.user("Ann"))
    sent = await chat.sends("Look: https://example.com/watch")
    (update,) = await bot.get_updates()
    assert update.message is not None
    assert [one.type for one in update.message.entities] == ["url"]

    keyboard = InlineKeyboardMarkup([[InlineKeyboardButton("Cancel", callback_data="x:1")]])
    status = await bot.send_message(
        chat.id,
        "<b>Queued</b>",
        parse_mode=ParseMode.HTML,
        reply_to_message_id=sent.message_id,
        reply_markup=keyboard,
    )
    shown = await chat.shows("Queued")
    assert shown.html == "<b>Queued</b>" and shown.labels == ["Cancel"] and shown.reply_to == sent.message_id
    press = await chat.presses(shown, "Cancel")
    (query,) = await bot.get_updates(offset=update.update_id + 1)
    assert query.callback_query is not None and query.callback_query.data == "x:1"
    await query.callback_query.answer("Too late")
    assert await press.answered() == "Too late"
    await bot.edit_message_text("Half", chat.id, status.message_id)
    await bot.edit_message_media(
        InputMediaVideo(b"film", caption="Done", duration=7, filename="a.mp4"), chat.id, status.message_id
    )
    (done,) = chat.messages
    assert done.media is not None
    assert (done.text, done.media.content, done.media.duration) == ("Done", b"film", 7)
