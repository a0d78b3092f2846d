"""Who may use the bot, how somebody becomes its owner, and what everybody else is told."""

import asyncio
from pathlib import Path

import pytest

from bots.telegram.access import Access, Standing, pairing_code, standing
from bots.telegram.reading import Speaker
from shared.models import Role
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


def test_the_code_is_the_same_everywhere_but_not_for_every_bot() -> None:
    code = pairing_code(KEYS, "7000:secret")
    assert code == pairing_code([*KEYS, "another-key-0000002"], "7000:other") and len(code) == 8
    assert code not in (pairing_code(KEYS, "7001:secret"), pairing_code(["another-key-0000002"], "7000:x"))


async def test_whoever_has_the_code_owns_the_bot(
    telegram: TelegramDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = telegram.private(telegram.user("Ann")), telegram.private(telegram.user("Bob"))
    settings = settings_for(tmp_path / "data", telegram, secret_keys=tuple(KEYS))
    code = pairing_code(KEYS, telegram.token)
    async with chatting(settings):
        await telegram.until(lambda: code in caplog.text)
        await bob.sends("/start WRONGONE")
        await bob.shows("Nobody owns this bot yet.")
        await ann.sends(f"/start {code.lower()}")
        await ann.shows("You own this bot now.")
        await bob.sends(f"/start {code}")
        await bob.sends("/users")
        await ann.sends("/users")
        await ann.shows(f"owner · {ann.id} Ann")
        assert not any("own this bot now" in shown.text for shown in bob.messages)
        await telegram.until(lambda: (f"chat:{ann.id}", "") in telegram.commands)
    caplog.clear()
    async with chatting(settings):
        await ann.sends(LINK)
        await ann.shows("Queued")
    assert code not in caplog.text, "a code that is dead is not shown"


async def test_a_group_is_no_place_for_the_code(telegram: TelegramDouble, tmp_path: Path) -> None:
    ann = telegram.user("Ann")
    group = telegram.group("Film club", ann)
    async with chatting(settings_for(tmp_path, telegram, secret_keys=tuple(KEYS))):
        await group.sends(f"/start@linkferry_bot {pairing_code(KEYS, telegram.token)}")
        await group.shows("Nobody owns this bot yet.")


async def test_of_many_with_the_code_one_wins(chat: Chatting) -> None:
    access = Access(chat.parts.database, (), KEYS, "7000:x")
    code = pairing_code(KEYS, "7000:x")
    people = [Speaker(str(n), str(n), f"person {n}", is_private=True) for n in range(1, 9)]
    won = await asyncio.gather(*(access.pair(person, code) for person in people))
    assert won.count(True) == 1
    winner = people[won.index(True)]
    assert await access.owner() == winner.user_id and await access.open_code() is None
    assert await access.pair(winner, code), "the same update again"


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
    assert not await access.pair(Speaker("9", "9", "", is_private=True), pairing_code(KEYS, "7000:x"))
    assert await access.give("78", DENIED, "Eve")
    assert not (await access.standing(Speaker("-5", "78", "", is_private=False))).may_use
