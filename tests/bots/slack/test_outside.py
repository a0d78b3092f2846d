"""Channels that the app is not in: it says so, how to invite it, and brings the result all the same."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import update

from shared.models import Request
from tests.bots.slack.conftest import Chatting

LINK = "https://example.com/watch?v=abc123"


async def test_the_person_alone_is_told_and_gets_the_result(chat: Chatting) -> None:
    outside = chat.slack.channel("outside", [chat.ann, chat.bob])
    assert (await chat.ann.runs(f"/get {LINK}", outside)).is_acked
    told = await outside.shows("/invite @Linkferry", only_to=chat.ann)
    assert "Queued" in told.text and told.labels == ["Cancel"]
    await chat.finish("A <!channel> film")
    film = await outside.shows("A <!channel> film", only_to=chat.ann)
    assert "Download" in film.labels and not chat.slack.pings(film).anybody
    assert outside.messages == [] and outside.ephemerals(chat.bob) == []


async def test_it_can_be_cancelled_there(chat: Chatting) -> None:
    outside = chat.slack.channel("outside", [chat.ann])
    await chat.ann.runs(f"/get {LINK}", outside)
    told = await outside.shows("Queued", only_to=chat.ann)
    await chat.ann.presses(told, "Cancel")
    await outside.shows("Cancelled.", only_to=chat.ann)


async def test_a_result_after_the_address_is_used_up_comes_as_a_direct_message(chat: Chatting) -> None:
    outside = chat.slack.channel("outside", [chat.ann])
    await chat.ann.runs(f"/get {LINK}", outside)
    await outside.shows("/invite @Linkferry", only_to=chat.ann)
    chat.slack.fail_next("response_url", "expired_url", status=404)
    await chat.finish("Film")
    film = await chat.dm.shows("Film")
    assert "there: /invite @Linkferry" in film.text and "Download" in film.labels


async def test_a_bot_that_was_thrown_out_tells_the_result_to_the_person(chat: Chatting) -> None:
    await chat.ann.says(f"<@BOT> get {LINK}", chat.channel)
    await chat.channel.shows("Queued")
    await chat.ann.removes_bot(chat.channel)
    chat.slack.fail_next("chat.update", "channel_not_found", times=3)
    await chat.finish("Film")
    await chat.dm.shows("Film")


async def test_what_happens_between_two_people_stays_with_the_person(chat: Chatting) -> None:
    between = chat.slack.dm(chat.ann, chat.bob)
    await chat.ann.runs(f"/get {LINK}", between)
    await between.shows("I am not in this channel", only_to=chat.ann)


async def test_a_process_that_died_before_it_could_tell_tells_later(chat: Chatting) -> None:
    """The address for answers is in the database, with the request."""
    outside = chat.slack.channel("outside", [chat.ann])
    chat.slack.fail_next("response_url", status=500)
    await chat.ann.runs(f"/get {LINK}", outside)
    earlier = datetime.now(UTC) - timedelta(minutes=5)
    async with chat.parts.database.write() as session:
        await session.execute(update(Request).values(created_at=earlier))
    await outside.shows("/invite @Linkferry", only_to=chat.ann)
