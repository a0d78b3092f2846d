"""What people say and what they are told. No worker runs: whatever is asked for stays queued."""

from functools import partial
from pathlib import Path

import pytest

import linkferry.telegram
from bots.background import MOST_EACH
from shared.chat.telegram.client import windows
from shared.models import JobState
from tests.bots.telegram.conftest import Chatting, chatting, settings_for
from tests.telegram.double import TelegramDouble
from tests.telegram.shown import Shown

LINK = "https://example.com/watch?v=abc123"


async def test_a_link_is_queued_in_one_message_with_a_button_to_cancel(chat: Chatting) -> None:
    await chat.private.sends(f"look: {LINK}")
    status = await chat.private.shows("Queued")
    assert status.labels == ["Cancel"]
    press = await chat.private.presses(status, "Cancel")
    assert await press.answered() == "Stopping."
    await chat.private.shows("Cancelled.")
    assert len(chat.private.messages) == 1
    assert [job.state for job in await chat.jobs()] == [JobState.CANCELLED]


async def test_several_links_are_several_requests(chat: Chatting) -> None:
    await chat.private.sends(f"{LINK}1 and {LINK}2 and {LINK}1")
    await chat.telegram.until(lambda: len(chat.private.messages) == 2)
    assert sorted(job.link for job in await chat.jobs()) == [f"{LINK}1", f"{LINK}2"]


async def test_an_update_seen_twice_is_one_request(chat: Chatting) -> None:
    sent = await chat.private.sends(f"/get {LINK} 720p")
    await chat.private.shows("Queued")
    chat.telegram.repeat(sent.update)
    await chat.private.sends("/help")
    await chat.private.shows("/subs")
    assert len(await chat.requests()) == 1


async def test_two_presses_of_a_button_are_one_wish(chat: Chatting) -> None:
    await chat.private.sends(LINK)
    status = await chat.private.shows("Queued")
    first, second = [await chat.private.presses(status, "Cancel") for _ in range(2)]
    assert await first.answered() == "Stopping."
    assert await second.answered() == "That is over already; its message shows how, or will in a moment."


async def test_what_is_not_understood_gets_one_sentence(chat: Chatting) -> None:
    await chat.private.sends("hello <b>you</b>")
    await chat.private.shows("I see no link in that.")
    await chat.private.sends("/get https://user:secret@example.com/x")
    await chat.private.shows("That link carries a user name or a password")
    await chat.private.sends("/dance <i>")
    await chat.private.shows("I do not know the command")
    await chat.private.sends(photo=b"no caption")
    await chat.telegram.until(lambda: len(chat.private.messages) == 4)
    assert await chat.requests() == []


async def test_a_greeting_is_short_and_help_is_long(chat: Chatting) -> None:
    await chat.private.sends("/start")
    hello = await chat.private.shows("Hello!")
    assert "/help" in hello.text and "/subs" not in hello.text
    await chat.private.sends("/help")
    await chat.private.shows("/subs <link>")


async def test_status_cancel_and_find(chat: Chatting) -> None:
    await chat.private.sends("/status")
    await chat.private.shows("You have asked for nothing yet.")
    await chat.private.sends(f"/get {LINK}1")
    await chat.private.sends(f"/get {LINK}2")
    await chat.telegram.until(lambda: len(chat.private.messages) == 3)
    await chat.private.sends("/cancel")
    await chat.private.shows("Several of your downloads are going on")
    name = (await chat.requests())[1].id.hex[-8:]
    await chat.private.sends("/status")
    await chat.private.shows(lambda shown: name in shown.text and "number 2 in line" in shown.text)
    await chat.private.sends(f"/status {name}")
    await chat.private.shows(lambda shown: shown.text.startswith(name) and "number 2" in shown.text)
    await chat.private.sends(f"/cancel {name}")
    await chat.private.shows("Cancelled.")
    await chat.private.sends("/cancel")
    await chat.telegram.until(lambda: sum("Cancelled." in one.text for one in chat.private.messages) == 2)
    await chat.private.sends("/cancel")
    await chat.private.shows("Nothing of yours is waiting or running.")
    await chat.private.sends("/find <b>film</b> & more")
    await chat.private.shows("Nothing of what you have fetched has that in its title or its transcript.")
    await chat.private.sends("/find ?")
    await chat.private.shows("Look for a word: /find and letters or digits, such as /find budget")


async def test_a_reply_to_a_status_message_means_that_one(chat: Chatting) -> None:
    await chat.private.sends(f"/get {LINK}1")
    first = await chat.private.shows("Queued")
    await chat.private.sends(f"/get {LINK}2")
    await chat.telegram.until(lambda: len(chat.private.messages) == 2)
    await chat.private.sends("/cancel", reply_to=first)
    cancelled = await chat.private.shows("Cancelled.")
    assert cancelled.message_id == first.message_id


async def test_a_group_answers_where_it_was_asked(chat: Chatting) -> None:
    group = chat.group(is_forum=True)
    topic = await group.opens_topic("Films")
    sent = await group.sends(f"/get@linkferry_bot {LINK}", thread=topic)
    status = await group.shows("Queued")
    assert (status.thread, status.reply_to) == (topic, sent.message_id)
    await group.sends("nothing for the bot", thread=topic)
    await group.sends("/help@linkferry_bot", thread=topic)
    answer = await group.shows("/subs")
    assert answer.thread == topic and len(group.messages) == 2


async def test_only_the_asker_or_an_administrator_cancels(chat: Chatting) -> None:
    cid, dora = chat.telegram.user("Cid"), chat.telegram.user("Dora")
    group = chat.group(chat.ann, chat.bob, cid, admins=[dora])
    await group.sends("/allow here", by=chat.ann)
    await group.shows("may use me from now on")
    await group.sends(f"/get {LINK}", by=chat.bob)
    status = await group.shows("Queued")
    stranger = await group.presses(status, "Cancel", by=cid)
    assert await stranger.answered() == "Only the person who asked, or an admin, can do that."
    admin = await group.presses(status, "Cancel", by=dora)
    assert await admin.answered() == "Stopping."
    await group.shows("Cancelled.")
    assert len(chat.telegram.made("getChatAdministrators")) == 1, "one answer for everybody in the group"
    assert chat.telegram.made("getChatMember") == []


async def test_what_is_over_is_over_for_administrators_too(chat: Chatting) -> None:
    group = chat.group()
    await group.sends("/allow here", by=chat.ann)
    await group.shows("may use me from now on")
    await group.sends(f"/get {LINK}", by=chat.bob)
    status = await group.shows("Queued")
    first, second = [await group.presses(status, "Cancel", by=chat.bob) for _ in range(2)]
    assert await first.answered() == "Stopping." and "over already" in await second.answered()
    assert chat.telegram.made("getChatAdministrators", "getChatMember") == [], "nobody asks who they are"


async def test_buttons_that_make_no_sense_get_an_answer(chat: Chatting) -> None:
    await chat.private.sends(LINK)
    status = await chat.private.shows("Queued")
    body = chat.private.room.messages[status.message_id]
    button = body["reply_markup"]["inline_keyboard"][0][0]
    request_id = (await chat.requests())[0].id.hex
    for data in ("", ":", "cancel:", "cancel:x", "cancel:" + "0" * 32, "set:choice:8k", "set:", "dance:1",
                 f"choose:{request_id}:<b>", f"choose:{request_id}", f"retry:{request_id}"):  # fmt: skip
        button["callback_data"] = data
        press = await chat.private.presses(status.message_id, "Cancel")
        assert await press.answered(), data
    assert [job.state for job in await chat.jobs()] == [JobState.QUEUED]


def _has(label: str, shown: Shown) -> bool:
    return label in shown.labels


async def test_settings_are_set_and_not_toggled(chat: Chatting) -> None:
    await chat.private.sends("/settings")
    page = await chat.private.shows("Settings of this chat")
    assert "✓ Ask me" in page.labels and "✓ Send the file" in page.labels
    for label in ("720p", "English", "Send a link"):
        await (await chat.private.presses(page, label)).answered()
        page = await chat.private.shows(partial(_has, f"✓ {label}"))
    again = await chat.private.presses(page, "✓ 720p")
    assert await again.answered() == "Done."
    await chat.private.sends(LINK)
    await chat.private.shows("Queued")
    (job,), (request,) = await chat.jobs(), await chat.requests()
    assert (job.options["quality"], job.options["languages"], request.as_link) == ("720p", ["en"], True)
    assert not job.options["probe_only"]


async def test_caption_languages_are_written(chat: Chatting) -> None:
    await chat.private.sends("/settings subs german, fr")
    await chat.private.shows("Captions: German, French")
    await chat.private.sends("/settings subs klingon")
    await chat.private.shows("I do not know the language 'klingon'.")
    await chat.private.sends("/settings subs none")
    await chat.private.shows("Captions: none")


async def test_in_a_group_only_administrators_set(chat: Chatting) -> None:
    dora = chat.telegram.user("Dora")
    group = chat.group(chat.ann, chat.bob, admins=[dora])
    await group.sends("/allow here", by=chat.ann)
    await group.sends("/settings", by=chat.bob)
    page = await group.shows("Settings of this chat")
    refused = await group.presses(page, "720p", by=chat.bob)
    assert "Only an administrator" in await refused.answered()
    done = await group.presses(page, "720p", by=dora)
    assert await done.answered() == "Done."


async def test_a_group_that_moves_is_followed(chat: Chatting) -> None:
    group = chat.group(basic=True)
    await group.sends("/allow here", by=chat.ann)
    await group.shows("may use me from now on")
    new = await group.becomes_supergroup()
    await chat.quiet()
    await group.sends(f"/get {LINK}", by=chat.bob)
    await group.shows("Queued")
    assert (await chat.requests())[0].chat_id == str(new)


async def test_who_blocks_the_bot_waits_for_nothing_any_more(chat: Chatting) -> None:
    bob = chat.telegram.private(chat.bob)
    await chat.private.sends(f"/allow {chat.bob.id}")
    await chat.private.shows("may use me from now on")
    await bob.sends(f"/get {LINK}1")
    await bob.sends(f"/get {LINK}2")
    await chat.telegram.until(lambda: len(bob.messages) == 2)
    await chat.private.sends(f"/get {LINK}2")
    await chat.private.shows("Queued")
    await bob.blocks_bot()
    await chat.quiet()
    states = {job.link: job.state for job in await chat.jobs()}
    assert states == {f"{LINK}1": JobState.CANCELLED, f"{LINK}2": JobState.QUEUED}, "Ann still waits"
    cancelled = [(one.user_id, one.cancelled) for one in await chat.requests()]
    assert cancelled == [(str(chat.bob.id), True), (str(chat.bob.id), True), (str(chat.ann.id), False)]
    await bob.unblocks_bot()
    await bob.sends(f"/get {LINK}3")
    await chat.telegram.until(lambda: len(bob.messages) == 3)
    assert "Queued" in bob.messages[-1].text


async def test_a_group_that_throws_the_bot_out_may_take_it_back(chat: Chatting) -> None:
    group = chat.group()
    await group.sends(f"/get {LINK}", by=chat.ann)
    await group.shows("Queued")
    await group.kicks_bot()
    await chat.quiet()
    assert [job.state for job in await chat.jobs()] == [JobState.QUEUED]


async def test_the_menu_knows_who_owns_the_bot(chat: Chatting) -> None:
    await chat.private.sends("/help")
    help_text = (await chat.private.shows("/subs")).text
    assert "/allow" in help_text
    commands = {
        scope: [one["command"] for one in found] for (scope, _), found in chat.telegram.commands.items()
    }
    assert "settings" in commands["all_group_chats"] and "get" in commands["all_private_chats"]
    assert "allow" in commands[f"chat:{chat.ann.id}"] and "allow" not in commands["all_private_chats"]


@pytest.mark.slow
async def test_a_flood_is_taken_but_not_answered_each_time(
    telegram: TelegramDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linkferry.telegram, "windows", windows)
    private = telegram.private(ann := telegram.user("Ann"))
    async with chatting(settings_for(tmp_path, telegram, telegram_allowed=(str(ann.id),))):
        for _ in range(60):
            await private.sends("blah")
        await private.sends(LINK)
        await private.shows("Queued")
        assert len(private.messages) <= MOST_EACH + 5
