"""Status messages and answers in Slack, also where calls are refused, lost or throttled."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from shared.chat.port import MessageGone, Throttled
from shared.chat.slack.errors import NotInvited
from shared.models import ArtifactKind, JobState
from tests.shared.chat.slack.conftest import Desk, open_desk
from tests.shared.chat.slack.views import NASTY
from tests.slack.double import SlackDouble
from tests.slack.people import Channel
from tests.slack.tokens import BOT_SCOPES

LATE = timedelta(minutes=5)


async def test_a_status_message_is_posted_and_edited_in_place(desk: Desk) -> None:
    request = await desk.asks(await desk.job(await desk.stored(ArtifactKind.VIDEO, "mp4", b"x" * 99)))
    message = await desk.posts(request)
    (posted,) = desk.channel.messages
    assert (posted.ts, posted.labels) == (message, ["Cancel"])
    assert (posted.flags["unfurl_links"], posted.flags["unfurl_media"]) == (False, False)
    await desk.delivers(request, message)
    await desk.delivers(request, message)
    (done,) = desk.channel.messages
    assert (done.ts, done.labels) == (message, ["Watch", "Download"])
    assert done.fallback == "A <film> & more: video · mp4 · 99 B"
    assert not desk.channel.files


async def test_a_request_in_a_thread_is_answered_there(desk: Desk) -> None:
    parent = await desk.client.say(desk.chat(), "Here")
    message = await desk.posts(await desk.asks(thread_id=parent))
    assert [one.ts for one in desk.channel.thread(parent)] == [message]


async def test_a_nasty_title_pings_nobody(desk: Desk) -> None:
    request = await desk.asks(await desk.job(title=NASTY, state=JobState.RUNNING))
    await desk.delivers(request, await desk.posts(request))
    for shown in desk.channel.history:
        assert not desk.slack.pings(shown).anybody
        assert NASTY in shown.text


async def test_a_post_whose_answer_was_lost_is_found_again(desk: Desk) -> None:
    request = await desk.asks()
    desk.slack.apply_then_drop("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await desk.posts(request)
    message = await desk.posts(request)
    assert [one.ts for one in desk.channel.messages] == [message]


async def test_a_post_that_was_given_up_is_found_again(desk: Desk) -> None:
    request = await desk.asks()
    desk.slack.hang_next("chat.postMessage", applies=True)
    posting = asyncio.create_task(desk.posts(request))
    async with asyncio.timeout(60):
        while not desk.channel.messages:
            await asyncio.sleep(0.01)
    posting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await posting
    message = await desk.posts(request)
    assert [one.ts for one in desk.channel.messages] == [message]


async def test_a_post_that_cannot_be_looked_for_now_waits(desk: Desk) -> None:
    request = await desk.asks()
    desk.slack.apply_then_drop("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await desk.posts(request)
    desk.slack.fail_next("conversations.history", retry_after=9)
    with pytest.raises(Throttled):
        await desk.posts(request)
    await desk.posts(request)
    assert len(desk.channel.messages) == 1


async def test_a_post_that_never_arrived_is_made_again(desk: Desk) -> None:
    request = await desk.asks()
    desk.slack.faults.drop_next("chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await desk.posts(request)
    message = await desk.posts(request)
    assert [one.ts for one in desk.channel.messages] == [message]


async def test_a_post_that_slack_is_unsure_about_is_looked_for(desk: Desk) -> None:
    request = await desk.asks()
    desk.slack.fail_next("chat.postMessage", "fatal_error")
    with pytest.raises(SlackApiError):
        await desk.posts(request)
    await desk.posts(request)
    assert len(desk.slack.made("conversations.history")) == 1


@pytest.mark.parametrize("in_thread", [False, True])
async def test_a_post_that_a_crash_kept_from_being_noted_is_found_again(desk: Desk, in_thread: bool) -> None:
    parent = await desk.client.say(desk.chat(), "Here") if in_thread else None
    request = await desk.asks(created_at=datetime.now(UTC) - LATE, thread_id=parent)
    first = await desk.posts(request)
    assert await desk.posts(request, desk.another()) == first
    assert await desk.posts(await desk.asks(thread_id=parent), desk.another()) != first


async def test_a_request_whose_posting_was_begun_before_is_looked_for_however_fresh(desk: Desk) -> None:
    request = await desk.asks(post_after=datetime.now(UTC))
    first = await desk.posts(request)
    assert await desk.posts(request, desk.another()) == first


async def test_a_fresh_request_costs_no_look_back(desk: Desk) -> None:
    await desk.posts(await desk.asks())
    assert not desk.slack.made("conversations.history")


async def test_without_the_scope_to_look_back_there_may_be_two_but_never_none(tmp_path: Path) -> None:
    scopes = BOT_SCOPES - {"channels:history"}
    async for desk in open_desk(tmp_path, SlackDouble(limits=False, scopes=scopes)):
        request = await desk.asks()
        desk.slack.apply_then_drop("chat.postMessage")
        with pytest.raises(aiohttp.ClientError):
            await desk.posts(request)
        message = await desk.posts(request)
        assert message in [one.ts for one in desk.channel.messages]


async def test_where_the_app_is_not_invited_handlers_are_told(desk: Desk) -> None:
    for private in (False, True):
        elsewhere = desk.slack.channel(f"elsewhere-{private}", members=[desk.ann], private=private)
        with pytest.raises(NotInvited):
            await desk.posts(await desk.asks(channel=elsewhere))
        with pytest.raises(NotInvited):
            await desk.client.whisper(desk.chat(elsewhere), desk.ann.id, "Hello")


@pytest.mark.parametrize(
    "error", ["message_not_found", "is_archived", "token_revoked", "account_inactive", "cant_update_message"]
)
async def test_a_message_that_cannot_be_edited_any_more_is_gone(desk: Desk, error: str) -> None:
    request = await desk.asks()
    message = await desk.posts(request)
    desk.slack.fail_next("chat.update", error)
    with pytest.raises(MessageGone):
        await desk.delivers(request, message)


async def test_a_message_that_a_person_deleted_is_gone(desk: Desk) -> None:
    request = await desk.asks()
    with pytest.raises(MessageGone):
        await desk.delivers(request, "1700000000.000001")


@pytest.mark.parametrize("method", ["chat.postMessage", "chat.update"])
async def test_rest_is_given_for_as_long_as_slack_says(desk: Desk, method: str) -> None:
    request = await desk.asks()
    message = await desk.posts(request)
    desk.slack.fail_next(method, retry_after=17)
    with pytest.raises(Throttled) as throttled:
        if method == "chat.update":
            await desk.delivers(request, message)
        else:
            await desk.client.say(desk.chat(), "Hello")
    assert throttled.value.seconds == 17
    assert len(desk.slack.made(method)) == (1 if method == "chat.update" else 2)  # nothing was repeated


async def test_other_errors_may_be_tried_again(desk: Desk) -> None:
    request = await desk.asks()
    message = await desk.posts(request)
    for how in ({"error": "internal_error"}, {"status": 503}, {"error": "invalid_auth"}):
        desk.slack.fail_next("chat.update", **how)
        with pytest.raises(SlackApiError):
            await desk.delivers(request, message)


async def test_a_picture_that_slack_cannot_load_costs_the_picture_only(desk: Desk) -> None:
    files = [
        await desk.stored(kind, form, b"x")
        for kind, form in ((ArtifactKind.VIDEO, "mp4"), (ArtifactKind.THUMBNAIL, "jpg"))
    ]
    request = await desk.asks(await desk.job(*files))
    message = await desk.posts(request)
    desk.slack.fail_next("chat.update", "invalid_blocks")
    await desk.delivers(request, message)
    assert [("accessory" in one.blocks[1], one.labels) for one in desk.channel.messages] == [
        (False, ["Watch", "Download"])
    ]
    desk.slack.fail_next("chat.update", "invalid_blocks", times=2)
    await desk.delivers(request, message)
    assert desk.channel.messages[0].text == "A <film> & more: video · mp4 · 1 B"
    await desk.delivers(request, message)
    assert "accessory" in desk.channel.messages[0].blocks[1]


async def test_one_person_alone_can_be_told(desk: Desk) -> None:
    await desk.client.whisper(desk.chat(), desk.ann.id, "Only <you> & me")
    assert [one.text for one in desk.channel.ephemerals(desk.ann)] == ["Only <you> & me"]
    assert not desk.channel.messages


async def test_a_message_that_names_no_workspace_is_refused(desk: Desk) -> None:
    with pytest.raises(ValueError, match="not a Slack chat"):
        await desk.client.say("C1", "Hello")


def response_url(desk: Desk, channel: Channel, kind: str = "commands") -> str:
    """Where a command of Ann's in this channel can be answered."""
    url, _ = desk.slack.replies.new(kind, channel.room, desk.ann.user)
    return url


async def test_a_command_is_answered_where_the_app_is_not_invited(desk: Desk) -> None:
    elsewhere = desk.slack.channel("elsewhere", members=[desk.ann])
    url = response_url(desk, elsewhere)
    await desk.client.respond(url, "Invite me & ask <again>: /invite @Linkferry")
    (told,) = elsewhere.ephemerals(desk.ann)
    assert told.text == "Invite me & ask <again>: /invite @Linkferry"
    assert elsewhere.messages == [], "nobody else sees it"


async def test_no_log_tells_where_a_person_can_be_answered(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    url = response_url(desk, desk.channel)
    with caplog.at_level(logging.DEBUG):
        await desk.client.respond(url, "Hello")
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("shared.")]
    assert not any(url in said or "Hello" in said for said in ours)


async def test_a_used_up_answer_is_gone(desk: Desk) -> None:
    url = response_url(desk, desk.channel)
    for _ in range(5):
        await desk.client.respond(url, "Hello")
    with pytest.raises(MessageGone):
        await desk.client.respond(url, "Hello")


async def test_an_answer_meets_limits_and_outages(desk: Desk) -> None:
    url = response_url(desk, desk.channel)
    desk.slack.fail_next("response_url", retry_after=3)
    with pytest.raises(Throttled) as throttled:
        await desk.client.respond(url, "Hello")
    assert throttled.value.seconds == 3
    desk.slack.fail_next("response_url", status=500)
    with pytest.raises(OSError, match="500"):
        await desk.client.respond(url, "Hello")
    assert not desk.channel.ephemerals(desk.ann)
