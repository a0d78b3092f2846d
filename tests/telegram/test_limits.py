"""How often a bot may speak, in a clock moved by hand; and what goes wrong on request."""

import asyncio
from datetime import timedelta

import pytest
from telegram import Bot
from telegram.error import BadRequest, ChatMigrated, NetworkError, RetryAfter, TimedOut

from tests.telegram.clock import Clock
from tests.telegram.conftest import bot_of
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private


@pytest.fixture(autouse=True)
def _limited(telegram: TelegramDouble) -> None:
    telegram.limits.enabled = True


async def wait_of(call: object) -> int:
    with pytest.raises(RetryAfter) as refused:
        await call  # type: ignore[misc]
    wait = refused.value.retry_after
    assert isinstance(wait, timedelta)
    return int(wait.total_seconds())


async def test_a_private_chat_takes_one_message_a_second(
    telegram: TelegramDouble, bot: Bot, chat: Private, clock: Clock
) -> None:
    for count in range(3):
        await bot.send_message(chat.id, str(count))
    assert await wait_of(bot.send_message(chat.id, "a")) == 1
    clock.advance(1)
    message = await bot.send_message(chat.id, "a")
    assert await wait_of(bot.edit_message_text("b", chat.id, message.message_id)) == 1
    assert telegram.too_many == 2 and [one.text for one in chat.messages] == ["0", "1", "2", "a"]


async def test_a_group_takes_twenty_messages_and_edits_a_minute(
    telegram: TelegramDouble, bot: Bot, clock: Clock
) -> None:
    group = telegram.group("Team", telegram.user("Ann"))
    message = await bot.send_message(group.id, "a")
    for count in range(19):
        clock.advance(1)
        await bot.edit_message_text(str(count), group.id, message.message_id)
    clock.advance(1)
    assert await wait_of(bot.send_message(group.id, "b")) == 40
    clock.advance(40)
    await bot.send_message(group.id, "b")


async def test_all_chats_together_take_thirty_a_second(
    telegram: TelegramDouble, bot: Bot, clock: Clock
) -> None:
    chats = [telegram.private(telegram.user(f"P{count}")) for count in range(31)]
    for chat in chats[:30]:
        await bot.send_message(chat.id, "a")
    assert await wait_of(bot.send_message(chats[30].id, "a")) == 1
    clock.advance(1)
    await bot.send_message(chats[30].id, "a")


async def test_limits_can_be_off(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    telegram.limits.enabled = False
    for count in range(10):
        await bot.send_message(chat.id, str(count))
    assert len(chat.messages) == 10 and telegram.too_many == 0


async def test_the_next_calls_fail_as_asked(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    telegram.fail_next("sendMessage", 429, retry_after=7)
    telegram.fail_next("sendMessage", 500, 502)
    telegram.fail_next("sendMessage", 400, description="Bad Request: TOPIC_CLOSED")
    telegram.fail_next("sendMessage", 400, migrate_to=-100123)
    assert await wait_of(bot.send_message(chat.id, "a")) == 7
    for kind in (NetworkError, NetworkError, BadRequest, ChatMigrated):
        with pytest.raises(kind):
            await bot.send_message(chat.id, "a")
    await bot.send_message(chat.id, "b")
    assert [one.text for one in chat.messages] == ["b"]
    codes = [call.error.code if call.error else 200 for call in telegram.made("sendMessage")]
    assert codes == [429, 500, 502, 400, 400, 200]


async def test_a_call_takes_effect_but_the_answer_is_lost(
    telegram: TelegramDouble, bot: Bot, chat: Private
) -> None:
    telegram.apply_then_drop("sendMessage")
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "a")
    assert [one.text for one in chat.messages] == ["a"]
    telegram.faults.drop_next("sendMessage")
    with pytest.raises(NetworkError):
        await bot.send_message(chat.id, "b")
    assert [one.text for one in chat.messages] == ["a"]


async def test_a_call_gets_no_answer(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    telegram.hang_next("sendMessage")
    with pytest.raises(TimedOut):
        await bot.send_message(chat.id, "a", read_timeout=0.05)
    telegram.hang_next("sendMessage", applies=True)
    with pytest.raises(TimedOut):
        await bot.send_message(chat.id, "b", read_timeout=1)  # time for the effect
    assert [one.text for one in chat.messages] == ["b"]


async def test_a_double_closes_though_calls_hang() -> None:
    async with asyncio.timeout(60):
        async with TelegramDouble() as telegram:
            chat = telegram.private(telegram.user("Ann"))
            bot = bot_of(telegram)
            await bot.initialize()
            telegram.hang_next("sendMessage")
            hanging = asyncio.create_task(bot.send_message(chat.id, "a"))
            await telegram.until(lambda: bool(telegram.made("sendMessage")))
        with pytest.raises(NetworkError):
            await hanging
        await bot.shutdown()
