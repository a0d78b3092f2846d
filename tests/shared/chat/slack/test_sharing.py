"""Transcripts in threads: one summary and one message with the files, whatever goes wrong on the way."""

import asyncio
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from shared.chat.port import MessageGone
from shared.chat.slack.files import Place
from shared.chat.slack.sharing import place_key
from shared.errors import Code, JobError
from shared.models import Artifact, ArtifactKind
from tests.shared.chat.slack.conftest import Desk, open_desk
from tests.shared.chat.slack.views import NASTY
from tests.slack.double import SlackDouble
from tests.slack.tokens import BOT_SCOPES

COMPLETE = "files.completeUploadExternal"
CHAPTERS = {"chapters": [{"start": 0, "end": 83, "title": "Start"}, {"start": 83, "end": 99, "title": NASTY}]}


POST = "chat.postMessage"
LOST = ("upload", POST, COMPLETE)  # every step on the way


async def test_a_transcript_comes_as_a_file_in_the_thread_with_a_summary(desk: Desk) -> None:
    files = [await desk.transcript(b"Hello there.\nOn!\n"), await desk.transcript(b"1\n", "srt")]
    job = await desk.job(*files, duration=99, media=CHAPTERS, title=NASTY)
    request = await desk.asks(job)
    message = await desk.posts(request)
    await desk.delivers(request, message)
    (file,) = desk.channel.files
    assert (file.name, file.text, file.thread_ts) == ("Film.txt", "Hello there.\nOn!\n", message)
    summary, shown = desk.channel.thread(message)
    assert (summary.thread_ts, shown.text) == (message, "")
    assert NASTY.replace("*", "∗") in summary.text and not desk.slack.pings(summary).anybody
    for words in ("1:39 · English, made by people", "0:00 Start", "1:23 <!channel>", "“Hello there. On!"):
        assert words in summary.text
    watched = [at for at in desk.slack.pings(summary).links if "/w/" in at]  # the token tells the second
    assert [at.partition("#")[2] for at in watched] == ["t=0", "t=83"]
    assert (summary.flags["unfurl_links"], summary.flags["unfurl_media"]) == (False, False)
    assert desk.channel.message(message).labels == ["Read", "Download", "Share transcript"]


async def test_a_thread_of_people_gets_the_file_too(desk: Desk) -> None:
    parent = await desk.client.say(desk.chat(), "Here")
    request = await desk.asks(await desk.job(await desk.transcript()), thread_id=parent)
    await desk.delivers(request, await desk.posts(request))
    assert [file.thread_ts for file in desk.channel.files] == [parent]


async def test_languages_come_together(desk: Desk) -> None:
    files = [await desk.transcript(b"x", language=f"l{number}") for number in range(7)]
    request = await desk.asks(await desk.job(*files))
    await desk.delivers(request, await desk.posts(request))
    assert len(desk.channel.files) == 5
    assert len(desk.slack.made(COMPLETE)) == 1


async def test_a_film_with_captions_and_wishes_for_links_get_no_file(desk: Desk) -> None:
    film = await desk.job(await desk.transcript(), await desk.stored(ArtifactKind.VIDEO, "mp4", b"x"))
    for request in (
        await desk.asks(film),
        await desk.asks(await desk.job(await desk.transcript()), as_link=True),
    ):
        await desk.delivers(request, await desk.posts(request))
    assert not desk.channel.files


async def test_delivering_again_does_not_double_the_file(desk: Desk) -> None:
    request = await desk.asks(await desk.job(await desk.transcript()))
    message = await desk.posts(request)
    for client in (desk.client, desk.client, desk.another()):
        await desk.delivers(request, message, client)
    assert len(desk.channel.files) == 1
    assert len(desk.slack.made("files.getUploadURLExternal")) == 1


async def test_two_people_who_ask_for_the_same_each_get_it(desk: Desk) -> None:
    job = await desk.job(await desk.transcript())
    for request in (await desk.asks(job), await desk.asks(job)):
        await desk.delivers(request, await desk.posts(request))
    assert len({file.thread_ts for file in desk.channel.files}) == 2


@pytest.mark.parametrize("method", LOST)
async def test_what_arrived_without_an_answer_is_found_again(desk: Desk, method: str) -> None:
    request = await desk.asks(await desk.job(await desk.transcript()))
    message = await desk.posts(request)
    desk.slack.apply_then_drop(method)
    with pytest.raises(aiohttp.ClientError):
        await desk.delivers(request, message)
    assert not any(row.file_id.startswith("F") for row in await desk.uploads())
    await desk.delivers(request, message, desk.another())
    assert [bool(one.text) for one in desk.channel.thread(message)] == [True, False]
    assert len(desk.channel.files) == len(desk.slack.made(COMPLETE)) == 1
    assert [row.file_id for row in await desk.uploads()] == [desk.channel.files[0].id]


@pytest.mark.parametrize("method", LOST)
async def test_what_never_arrived_comes_later(desk: Desk, method: str) -> None:
    request = await desk.asks(await desk.job(await desk.transcript()))
    message = await desk.posts(request)
    desk.slack.faults.drop_next(method)
    with pytest.raises(aiohttp.ClientError):
        await desk.delivers(request, message)
    assert not desk.channel.files
    await desk.delivers(request, message)
    assert [bool(one.text) for one in desk.channel.thread(message)] == [True, False]
    assert len(desk.channel.files) == 1


async def test_without_the_scope_to_read_a_thread_a_file_comes_at_least_once(tmp_path: Path) -> None:
    scopes = BOT_SCOPES - {"channels:history"}
    async for desk in open_desk(tmp_path, SlackDouble(limits=False, scopes=scopes)):
        request = await desk.asks(await desk.job(await desk.transcript()))
        message = await desk.posts(request)
        for method in (POST, COMPLETE):
            for lost in (desk.slack.faults.drop_next, desk.slack.apply_then_drop):
                lost(method)
                with pytest.raises(aiohttp.ClientError):
                    await desk.delivers(request, message)
        await desk.delivers(request, message)
        assert len(desk.channel.files) == 1
        summaries = [one for one in desk.channel.thread(message) if one.text]
        assert len(summaries) == 2, "one too many is better than none"


async def test_a_file_that_slack_forgot_is_sent_anew(desk: Desk) -> None:
    request = await desk.asks(await desk.job(await desk.transcript()))
    message = await desk.posts(request)
    desk.slack.faults.drop_next(COMPLETE)
    with pytest.raises(aiohttp.ClientError):
        await desk.delivers(request, message)
    desk.slack.uploads.clear()
    await desk.delivers(request, message)
    assert len(desk.channel.files) == 1


async def test_a_file_that_slack_forgot_and_nobody_keeps_is_passed_over(desk: Desk) -> None:
    view = await desk.view(await desk.job(kept := await desk.transcript()))
    place = Place(desk.channel.id, place_key("share", "the press"), since="1.0")
    desk.slack.faults.drop_next(COMPLETE)
    with pytest.raises(aiohttp.ClientError):
        await desk.client.share(desk.chat(), place, view)
    desk.slack.uploads.clear()
    async with desk.database.write() as session:
        (await session.get_one(Artifact, kept.id)).deleted_at = datetime.now(UTC)
    assert not await desk.client.share(desk.chat(), place, view)


@pytest.mark.parametrize("error", ["missing_scope", "file_uploads_disabled", "posting_to_channel_denied"])
async def test_where_files_are_refused_links_have_to_do(desk: Desk, error: str) -> None:
    request = await desk.asks(await desk.job(await desk.transcript()))
    message = await desk.posts(request)
    desk.slack.fail_next("files.getUploadURLExternal", error)
    await desk.delivers(request, message)
    assert not desk.channel.files
    assert "Download" in desk.channel.message(message).labels


async def test_a_refused_summary_becomes_words(desk: Desk) -> None:
    request = await desk.asks(await desk.job(await desk.transcript(), title=NASTY))
    message = await desk.posts(request)
    desk.slack.fail_next(POST, "invalid_blocks")
    await desk.delivers(request, message)
    summary, _ = desk.channel.thread(message)
    assert summary.text == summary.fallback == f"Transcript: {NASTY}"
    assert not desk.slack.pings(summary).anybody


async def test_failures_that_last_do_not_hold_the_delivery_forever(desk: Desk) -> None:
    request = await desk.asks(await desk.job(await desk.transcript()))
    message = await desk.posts(request)
    desk.slack.fail_next(COMPLETE, "internal_error")
    with pytest.raises(SlackApiError):
        await desk.delivers(request, message)
    request.delivery_failures = 10
    await desk.delivers(request, message)
    assert not desk.channel.files


async def test_files_that_are_gone_or_empty_are_passed_over(desk: Desk) -> None:
    lost = await desk.transcript()
    await desk.storage.delete(lost.storage_key)
    for artifact in (lost, await desk.transcript(b"")):
        request = await desk.asks(await desk.job(artifact))
        await desk.delivers(request, await desk.posts(request))
    assert not desk.channel.files


async def test_a_transcript_can_be_shared_with_another_channel(desk: Desk) -> None:
    other = desk.slack.channel("team", members=[desk.ann], bot=True)
    view = await desk.view(await desk.job(await desk.transcript()))
    place = Place(other.id, place_key("share", "the press"))
    for _ in range(2):
        assert await desk.client.share(desk.chat(other), place, view)
    summary, shown = other.messages
    assert summary.thread_ts is None and shown.thread_ts == summary.ts, "it begins the thread of its file"
    assert [file.thread_ts for file in other.files] == [summary.ts]
    stranger = desk.slack.channel("stranger", members=[desk.ann])
    with pytest.raises(MessageGone):
        await desk.client.share(desk.chat(stranger), Place(stranger.id, place_key("2")), view)


async def test_sharing_twice_at_the_same_time_doubles_nothing(desk: Desk) -> None:
    other = desk.slack.channel("team", members=[desk.ann], bot=True)
    view = await desk.view(await desk.job(await desk.transcript()))
    place = Place(other.id, place_key("share", "the press"), since="1.0")
    shares = (desk.client.share(desk.chat(other), place, view) for _ in range(3))
    assert await asyncio.gather(*shares) == [True] * 3
    assert len(other.messages) == 2 and len(other.files) == 1


@pytest.mark.parametrize("method", LOST)
async def test_sharing_with_a_channel_again_doubles_nothing(desk: Desk, method: str) -> None:
    other = desk.slack.channel("team", members=[desk.ann], bot=True)
    view = await desk.view(await desk.job(await desk.transcript()))
    place = Place(other.id, place_key("share", "the press"), since="1.0")
    desk.slack.apply_then_drop(method)
    with pytest.raises(aiohttp.ClientError):
        await desk.client.share(desk.chat(other), place, view)
    assert await desk.another().share(desk.chat(other), place, view)
    summary, shown = other.messages
    assert shown.thread_ts == summary.ts and len(other.files) == 1


def test_a_key_fits_the_table_and_tells_places_apart() -> None:
    keys = {place_key("a", "bc"), place_key("ab", "c"), place_key("a" * 100)}
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 3


async def test_a_big_transcript_arrives_whole(desk: Desk) -> None:
    text = b"Hello there.\n" * 200_000
    request = await desk.asks(await desk.job(await desk.transcript(text)))
    await desk.delivers(request, await desk.posts(request))
    assert desk.channel.files[0].content == text


async def test_where_no_copy_has_room_the_links_have_to_do(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket's file is copied to this machine first, whose disk may be full for days."""

    def at_hand(_: str) -> AbstractAsyncContextManager[Path]:
        raise JobError(Code.DISK_FULL)

    request = await desk.asks(await desk.job(await desk.transcript()))
    message = await desk.posts(request)
    monkeypatch.setattr(desk.storage, "at_hand", at_hand)
    await desk.delivers(request, message)
    assert not desk.channel.files
    assert desk.channel.message(message).labels == ["Read", "Download", "Share transcript"]
