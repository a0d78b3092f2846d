"""The status message on its way: through python-telegram-bot to the double of Telegram."""

import logging

import pytest
from telegram.error import BadRequest, NetworkError

from shared.chat.port import ChatMoved, MessageGone, Throttled
from shared.chat.telegram.client import STUBBORN
from shared.chat.telegram.render import Button
from shared.models import JobState, Stage
from shared.results import JobView
from tests.shared.chat.telegram.conftest import Desk
from tests.shared.chat.telegram.views import a_view, an_error
from tests.telegram.people import Chat

QUEUED = a_view(JobState.QUEUED, title="A <b> & @film")
RUNNING = a_view(JobState.RUNNING, stage=Stage.DOWNLOAD, progress={"fraction": 0.5}, title="A <b> & @film")


def private(desk: Desk) -> Chat:
    return desk.telegram.private(desk.telegram.user("Ann"))


async def test_one_message_is_posted_as_a_reply_and_edited_in_place(desk: Desk) -> None:
    chat = private(desk)
    asked = await chat.sends("https://a.example/1")
    request = await desk.asks(chat, reply_to=str(asked.message_id))
    message = await desk.client.post(request, QUEUED)
    (shown,) = chat.messages
    assert (str(shown.message_id), shown.reply_to) == (message, asked.message_id)
    assert shown.html == "<b>A &lt;b&gt; &amp; @\u2060film</b>\nQueued" and shown.labels == ["Cancel"]
    assert shown.button("Cancel").data == f"cancel:{request.id.hex}"
    assert shown.body["link_preview_options"] == {"is_disabled": True}
    await desk.client.edit(request, message, RUNNING)
    (shown,) = chat.messages
    assert "50%" in shown.text and shown.labels == ["Cancel"]
    assert shown.body["link_preview_options"] == {"is_disabled": True}


async def test_a_failure_offers_to_try_again_in_the_same_message(desk: Desk) -> None:
    chat = private(desk)
    request = await desk.asks(chat)
    message = await desk.client.post(request, QUEUED)
    await desk.client.edit(request, message, a_view(JobState.FAILED, error=an_error("No.")))
    (shown,) = chat.messages
    assert (shown.text, shown.labels) == ("No.", ["Retry"])


async def test_the_same_shown_twice_is_success(desk: Desk) -> None:
    request = await desk.asks(private(desk))
    message = await desk.client.post(request, QUEUED)
    await desk.client.edit(request, message, QUEUED)
    await desk.client.edit(request, message, RUNNING)
    await desk.client.edit(request, message, RUNNING)


async def test_a_reply_target_that_is_gone_costs_only_the_reply(desk: Desk) -> None:
    chat = private(desk)
    asked = await chat.sends("https://a.example/1")
    await chat.deletes(asked)
    await desk.client.post(await desk.asks(chat, reply_to=str(asked.message_id)), QUEUED)
    (shown,) = chat.messages
    assert shown.reply_to is None


async def test_a_topic_is_answered_in_it_and_a_closed_one_not_at_all(desk: Desk) -> None:
    ann = desk.telegram.user("Ann")
    group = desk.telegram.group("Films", ann, is_forum=True)
    thread = await group.opens_topic("Talks")
    request = await desk.asks(group, thread_id=str(thread))
    await desk.client.post(request, QUEUED)
    assert [shown.thread for shown in group.messages] == [thread]
    await group.closes_topic(thread)
    with pytest.raises(MessageGone):
        await desk.client.post(request, QUEUED)
    with pytest.raises(MessageGone):
        await desk.client.post(await desk.asks(group, thread_id="999999"), QUEUED)


async def test_a_message_that_the_person_deleted_is_gone(desk: Desk) -> None:
    chat = private(desk)
    request = await desk.asks(chat)
    message = await desk.client.post(request, QUEUED)
    await chat.deletes(int(message))
    with pytest.raises(MessageGone):
        await desk.client.edit(request, message, RUNNING)


async def test_a_person_who_blocked_the_bot_is_gone_and_so_is_a_group_that_threw_it_out(desk: Desk) -> None:
    ann = desk.telegram.user("Ann")
    chat, group = desk.telegram.private(ann), desk.telegram.group("Films", ann)
    message = await desk.client.post(await desk.asks(chat), QUEUED)
    await chat.blocks_bot()
    await group.kicks_bot()
    with pytest.raises(MessageGone, match="blocked"):
        await desk.client.edit(await desk.asks(chat), message, RUNNING)
    with pytest.raises(MessageGone, match="kicked"):
        await desk.client.post(await desk.asks(group), QUEUED)


@pytest.mark.parametrize(
    "words",
    [
        "Forbidden: user is deactivated", "Bad Request: chat not found", "Bad Request: TOPIC_DELETED",
        "Bad Request: TOPIC_CLOSED",
        "Bad Request: not enough rights to send text messages to the chat",
        "Bad Request: have no rights to send a message", "Bad Request: MESSAGE_ID_INVALID",
        "Bad Request: message can't be edited",
    ],
)  # fmt: skip
async def test_wherever_nobody_can_be_told_the_message_is_gone(desk: Desk, words: str) -> None:
    request = await desk.asks(private(desk))
    status = 403 if words.startswith("Forbidden") else 400
    desk.telegram.fail_next("editMessageText", status, description=words)
    with pytest.raises(MessageGone):
        await desk.client.edit(request, "1", RUNNING)
    desk.telegram.fail_next("sendMessage", status, description=words)
    with pytest.raises(MessageGone):
        await desk.client.post(request, QUEUED)


async def test_too_many_calls_say_how_long_to_rest(desk: Desk) -> None:
    request = await desk.asks(private(desk))
    desk.telegram.fail_next("sendMessage", 429, retry_after=17)
    with pytest.raises(Throttled) as throttled:
        await desk.client.post(request, QUEUED)
    assert throttled.value.seconds == 17


async def test_a_group_that_became_a_supergroup_says_where_it_is_now(desk: Desk) -> None:
    group = desk.telegram.group("Films", desk.telegram.user("Ann"), basic=True)
    request = await desk.asks(group)
    message = await desk.client.post(request, QUEUED)
    new = await group.becomes_supergroup()
    with pytest.raises(ChatMoved) as moved:
        await desk.client.edit(request, message, RUNNING)
    assert moved.value.chat_id == str(new)


@pytest.mark.parametrize("view", [RUNNING, a_view(JobState.FAILED, error=an_error())], ids=["running", "end"])
async def test_an_edit_whose_answer_was_lost_is_shown_once(desk: Desk, view: JobView) -> None:
    chat = private(desk)
    request = await desk.asks(chat)
    message = await desk.client.post(request, QUEUED)
    desk.telegram.apply_then_drop("editMessageText")
    with pytest.raises(NetworkError):
        await desk.client.edit(request, message, view)
    await desk.client.edit(request, message, view)
    assert len(chat.messages) == 1 and len(chat.history) == 2


async def test_what_may_be_tried_again_comes_as_it_is(desk: Desk) -> None:
    request = await desk.asks(private(desk))
    desk.telegram.fail_next("sendMessage", 502)
    with pytest.raises(NetworkError):
        await desk.client.post(request, QUEUED)
    desk.telegram.fail_next("sendMessage", 400, description="Bad Request: can't parse entities: x")
    with pytest.raises(BadRequest):
        await desk.client.post(request, QUEUED)


async def test_what_telegram_never_takes_is_said_in_plain_words_in_the_end(desk: Desk) -> None:
    chat = private(desk)
    request = await desk.asks(chat, delivery_failures=STUBBORN)
    desk.telegram.fail_next("sendMessage", 400, description="Bad Request: BUTTON_TYPE_INVALID")
    message = await desk.client.post(request, QUEUED)
    assert (chat.messages[0].html, chat.messages[0].labels) == ("A &lt;b&gt; &amp; @\u2060film\nQueued", [])
    failed = a_view(JobState.FAILED, title="Film", error=an_error("No."))
    desk.telegram.fail_next("editMessageText", 400, description="Bad Request: can't parse entities: x")
    await desk.client.edit(request, message, failed)
    assert (chat.messages[0].html, chat.messages[0].labels) == ("Film\nNo.", [])


async def test_plain_answers_and_their_edits(desk: Desk) -> None:
    chat = private(desk)
    yes = [[Button("Yes", "yes"), Button("More", url="https://example.org")]]
    message = await desk.client.say(str(chat.id), "<b>Sure?</b>", buttons=yes)
    (shown,) = chat.messages
    assert shown.html == "<b>Sure?</b>" and shown.labels == ["Yes", "More"]
    press = await chat.presses(shown, "Yes")
    await desk.client.answer(press.id, "x" * 300)
    assert press.answer == "x" * 199 + "…" and not press.is_alert
    for _ in range(2):
        await desk.client.restate(str(chat.id), message, "Done")
    (shown,) = chat.messages
    assert (shown.text, shown.labels) == ("Done", [])


async def test_an_answer_that_comes_too_late_is_fine(desk: Desk) -> None:
    await desk.client.answer("1234567")


async def test_the_token_is_in_no_log_and_no_error(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    request = await desk.asks(private(desk))
    desk.telegram.fail_next("sendMessage", 500)
    with pytest.raises(NetworkError) as failed:
        await desk.client.post(request, QUEUED)
    await desk.client.post(request, QUEUED)
    secret = desk.telegram.token.partition(":")[2]
    assert secret not in caplog.text + repr(failed.value) + repr(desk.bot)
