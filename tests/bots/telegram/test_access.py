"""Who may use the bot, how somebody becomes its owner, and what everybody else is told."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from bots.telegram.access import Access, Standing, standing
from bots.telegram.pairing import pairing_code
from bots.telegram.reading import Speaker
from shared.models import Member, Role
from tests.bots.telegram.conftest import Chatting, chatting, settings_for
from tests.telegram.double import TelegramDouble

KEYS = ["a-key-of-the-tests-0001"]
LINK = "https://example.com/watch?v=abc123"

OWNER, ALLOWED, DENIED = Role.OWNER, Role.ALLOWED, Role.DENIED


@pytest.mark.parametrize(
    ("person", "group", "expected"),
    [
        (OWNER, None, Standing.OWNER),
        (OWNER, DENIED, Standing.OWNER),
        (ALLOWED, None, Standing.ALLOWED),
        (None, ALLOWED, Standing.ALLOWED),
        (ALLOWED, DENIED, Standing.STRANGER),
        (DENIED, ALLOWED, Standing.STRANGER),
        (DENIED, None, Standing.STRANGER),
        (None, DENIED, Standing.STRANGER),
        (None, None, Standing.STRANGER),
    ],
)
def test_who_may_use_it_where(person: Role | None, group: Role | None, expected: Standing) -> None:
    roles = {"1": person, "-2": group}
    assert standing({who: role for who, role in roles.items() if role}, "1", "-2") is expected


@pytest.mark.parametrize(
    ("channel", "group", "expected"),
    [
        (None, ALLOWED, Standing.STRANGER),
        (ALLOWED, None, Standing.ALLOWED),
        (ALLOWED, ALLOWED, Standing.ALLOWED),
        (ALLOWED, DENIED, Standing.STRANGER),
        (DENIED, ALLOWED, Standing.STRANGER),
    ],
)
def test_in_the_name_of_a_channel_a_group_lets_nobody_in(
    channel: Role | None, group: Role | None, expected: Standing
) -> None:
    roles = {who: role for who, role in (("-3", channel), ("-2", group)) if role}
    assert standing(roles, "-3", "-2", is_channel=True) is expected


def test_the_code_is_the_same_everywhere_but_not_for_every_bot_nor_twice() -> None:
    code = pairing_code(KEYS, "7000:secret", "salt")
    assert code == pairing_code([*KEYS, "another-key-0000002"], "7000:other", "salt") and len(code) == 8
    others = (KEYS, "7001:secret", "salt"), (["another-key-0000002"], "7000:x", "salt"), (KEYS, "7000:x", "s")
    assert code not in [pairing_code(*other) for other in others]


async def code_in(log: pytest.LogCaptureFixture, telegram: TelegramDouble) -> str:
    """The code that the log shows."""
    await telegram.until(lambda: "send '/start" in log.text)
    return log.text.partition("send '/start ")[2].partition("'")[0]


async def test_whoever_has_the_code_owns_the_bot(
    telegram: TelegramDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = telegram.private(telegram.user("Ann")), telegram.private(telegram.user("Bob"))
    settings = settings_for(tmp_path / "data", telegram, secret_keys=tuple(KEYS))
    async with chatting(settings):
        code = await code_in(caplog, telegram)
        await bob.sends("/start WRONGONE")
        await bob.shows("Nobody owns this bot yet.")
        await ann.sends(f"/start {code.lower()}")
        await ann.shows("This bot is yours now")
        await bob.sends(f"/start {code}")
        await bob.sends("/users")
        await ann.sends("/users")
        await ann.shows(f"owner · {ann.id} Ann")
        assert not any("yours now" in shown.text for shown in bob.messages)
        await telegram.until(lambda: (f"chat:{ann.id}", "") in telegram.commands)
    caplog.clear()
    async with chatting(settings):
        await ann.sends(LINK)
        await ann.shows("Queued")
    assert code not in caplog.text, "a code that is dead is not shown"


async def test_a_group_is_no_place_for_the_code(
    telegram: TelegramDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ann = telegram.user("Ann")
    group = telegram.group("Film club", ann)
    async with chatting(settings_for(tmp_path, telegram, secret_keys=tuple(KEYS))):
        await group.sends(f"/start@linkferry_bot {await code_in(caplog, telegram)}")
        await group.shows("Nobody owns this bot yet.")


def person(number: int) -> Speaker:
    return Speaker(str(number), str(number), f"person {number}", is_private=True)


async def test_of_many_with_the_code_one_wins_and_it_is_dead(chat: Chatting) -> None:
    access = Access(chat.parts.database, (), KEYS, "7000:x")
    assert not await access.pair(person(1), pairing_code(KEYS, "7000:x", "")), "no code was shown yet"
    code = await access.open_code()
    assert code is not None and code == await Access(chat.parts.database, (), KEYS, "7000:x").open_code()
    people = [person(number) for number in range(1, 9)]
    won = await asyncio.gather(*(access.pair(one, code) for one in people))
    assert won.count(True) == 1
    winner = people[won.index(True)]
    assert await access.owner() == winner.user_id and await access.open_code() is None
    assert [known.subject for known in await access.everybody()] == [winner.user_id]
    async with chat.parts.database.write() as session:
        await session.execute(delete(Member))
    assert not await access.pair(winner, code)
    assert await access.open_code() not in (code, None), "whoever reads an old log owns nothing"


async def test_a_group_in_the_settings_owns_nothing(chat: Chatting, caplog: pytest.LogCaptureFixture) -> None:
    access = Access(chat.parts.database, ("-5", "@ann", "٣", "7 8"), KEYS, "7000:x")
    assert "not ['@ann', '٣', '7 8']" in caplog.text
    assert [(known.subject, known.role) for known in await access.everybody()] == [("-5", ALLOWED)]
    assert await access.standing(person(9)) is Standing.UNOWNED
    assert await access.pair(person(9), (await access.open_code() or "").lower())
    assert await access.standing(person(9)) is Standing.OWNER


async def test_everyone_else_gets_one_polite_sentence_on_every_handler(chat: Chatting) -> None:
    bob, group = chat.telegram.private(chat.bob), chat.group()
    wishes = (LINK, "hello", f"{LINK}1 {LINK}2", "/get", f"/subs {LINK}", "/status", "/cancel", "/find x",
              "/help", "/start", "/start X", "/settings", "/allow here", "/deny 1", "/users")  # fmt: skip
    for text in wishes:
        await bob.sends(text)
        await group.sends(text if text.startswith("/") else f"@linkferry_bot {text}", by=chat.bob)
    await chat.quiet()
    refusal = await bob.shows("Sorry, this bot serves only people its owner has allowed")
    assert str(chat.bob.id) in refusal.text
    there = await group.shows("Sorry, this bot serves only people and groups")
    assert str(chat.bob.id) in there.text and str(group.id) in there.text
    assert (len(bob.messages), len(group.messages)) == (1, 1)
    await group.sends("/settings", by=chat.ann)
    page = await group.shows("Settings of this chat")
    press = await group.presses(page, "720p", by=chat.bob)
    assert "Sorry" in await press.answered() and "<" not in (press.answer or "")
    await group.sends(f"/get {LINK}", by=chat.ann)
    status = await group.shows("Queued")
    assert "Sorry" in await (await group.presses(status, "Cancel", by=chat.bob)).answered()
    assert len(await chat.requests()) == 1


async def test_the_owner_allows_and_denies(chat: Chatting) -> None:
    bob, group = chat.telegram.private(chat.bob), chat.group()
    await chat.private.sends(f"/allow {chat.bob.id}")
    await chat.private.shows(f"Bob ({chat.bob.id}) may use me from now on.")
    await bob.sends(LINK)
    await bob.shows("Queued")
    await bob.sends("/allow 5")
    await bob.shows("Only the owner of this bot can do that.")
    said = await group.sends("@linkferry_bot hello", by=chat.bob)
    await group.sends("/deny", by=chat.ann, reply_to=said)
    await group.shows(f"Bob ({chat.bob.id}) may not use me any more.")
    await group.sends("/allow here", by=chat.ann)
    await group.shows(f"Film club ({group.id}) may use me from now on.")
    await group.sends(f"/get {LINK}2", by=chat.bob)
    await group.shows("Sorry")
    await chat.private.sends("/users")
    users = (await chat.private.shows("owner")).text.splitlines()
    assert [line.split(" ")[0] for line in users] == ["owner", "allowed", "denied"]


async def test_who_writes_in_other_names(chat: Chatting) -> None:
    group = chat.group()
    await group.sends("/allow here", by=chat.ann)
    await group.shows("may use me from now on")
    room, marks = group.room.described(), [{"type": "bot_command", "offset": 0, "length": 4}]

    def says(text: str, voice: dict[str, Any], bot_id: int, name: str) -> None:
        sender = {"id": bot_id, "is_bot": True, "first_name": name, "username": f"{name}Bot"}
        body = group.new_message(None, None, None) | {"from": sender, "sender_chat": voice}
        group.deliver("message", body | {"text": text, "entities": marks})

    channel = {"id": -1001900000001, "title": "Film news", "type": "channel"}
    says(f"/get {LINK}1", channel, 136817688, "Channel")
    refusal = await group.shows("I cannot see who writes in the name of a channel")
    assert "its Telegram ID is -1001900000001" in refusal.text
    says(f"/get {LINK}2", room, 1087968824, "GroupAnonymous")
    await group.shows("Queued")
    await group.sends("/allow -1001900000001", by=chat.ann)
    await group.shows("-1001900000001 may use me from now on")
    says(f"/get {LINK}3", channel, 136817688, "Channel")
    await chat.telegram.until(lambda: sum("Queued" in one.text for one in group.messages) == 2)
    assert [one.user_id for one in await chat.requests()] == [str(group.id), "-1001900000001"]


async def test_the_owner_stays_and_nonsense_is_told_so(chat: Chatting) -> None:
    await chat.private.sends(f"/deny {chat.ann.id}")
    await chat.private.shows("The owner of this bot can always use it.")
    for words in ("", "here", "@bob", "0", "12 13"):
        await chat.private.sends(f"/allow {words}")
    await chat.quiet()
    await chat.telegram.until(lambda: sum("Say whom" in one.text for one in chat.private.messages) == 5)


async def test_a_forwarded_message_names_who_wrote_it(chat: Chatting) -> None:
    forwarded = await chat.private.sends("hi there", forwarded_from=chat.bob)
    await chat.private.sends("/allow", reply_to=forwarded)
    await chat.private.shows(f"Bob ({chat.bob.id}) may use me from now on.")


async def test_the_settings_name_the_owner(chat: Chatting) -> None:
    access = Access(chat.parts.database, ("-5", "77", "78"), KEYS, "7000:x")
    roles = {known.subject: known.role for known in await access.everybody()}
    assert roles == {"77": OWNER, "78": ALLOWED, "-5": ALLOWED}
    assert await access.open_code() is None and not await access.pair(person(9), "ANYTHING")
    assert await access.give("78", DENIED, "Eve")
    assert not (await access.standing(Speaker("-5", "78", "", is_private=False))).may_use
