"""The herald outlives whatever the chat and the database do."""

import asyncio

import pytest

import shared.chat.paced
import shared.deliveries
from shared.chat.port import ChatMoved, MessageGone, Throttled
from shared.models import Request
from shared.results import JobView
from tests.bots.scene import Outage, Scene, hows
from tests.journeys.chat import PLATFORM
from tests.subjects import recorded, subject
from tests.waiting import eventually


async def test_a_post_that_could_not_be_noted_is_noted_later_and_not_made_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await scene.request(await scene.job())
    outage = Outage(scene.database, monkeypatch, "write", 3)
    async with scene.herald():
        await scene.posted(request)
    assert outage.left == 0
    assert hows(scene) == ["post"]


async def test_a_message_that_is_gone_is_left_alone_and_nobody_else_notices(scene: Scene) -> None:
    job = await scene.job()
    await scene.request(job, "deleted")
    await scene.request(job, "m")
    scene.chat.errors = [MessageGone()]
    async with scene.herald():
        for done in (1, 2):
            await scene.report(job, done)
            await scene.looked()
    assert {line["message"] for line in scene.chat.shown} == {"m"}
    assert scene.chat.progress == [1, 2]


@pytest.mark.slow
@pytest.mark.parametrize("error", [Throttled(0.05), ConnectionError("no answer")])
@pytest.mark.parametrize("message", [None, "m"])
async def test_a_call_that_failed_is_made_again_with_what_is_true_then(
    scene: Scene, error: Exception, message: str | None
) -> None:
    job = await scene.job()
    request = await scene.request(job, message)
    scene.chat.errors = [error] * 2
    async with scene.herald():
        await scene.report(job, 5)
        await scene.shown(1)
        await scene.posted(request)
    assert scene.chat.errors == []
    assert scene.chat.progress[-1:] == [5]


async def test_what_is_logged_of_a_call_names_whom_it_was_for(scene: Scene) -> None:
    request = await scene.request(job := await scene.job())
    scene.chat.errors = [ConnectionError("no answer")]
    with recorded() as records:
        async with scene.herald():
            await scene.posted(request)
    told = subject(records, "its message could not be shown")
    assert told == {"platform": PLATFORM, "request_id": str(request), "job_id": str(job)}


@pytest.mark.slow
async def test_a_chat_that_wants_rest_holds_up_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.chat.paced, "PATIENCE", 0.3)
    job = await scene.job()
    await scene.request(job, "m1", chat="held")
    await scene.request(job, "m2", chat="other")
    scene.chat.errors = [Throttled(1000)]
    async with scene.herald():
        await scene.shown(1)
        await scene.request(job, "m3", chat="held")
        await scene.report(job, 1)
        await scene.shown(2)
        await scene.looked()
    assert [line["message"] for line in scene.chat.shown] == ["m2", "m2"]


@pytest.mark.parametrize("message", [None, "m"])
async def test_a_chat_that_moved_gets_new_messages_where_it_is_now(scene: Scene, message: str | None) -> None:
    job = await scene.job()
    requests = [await scene.request(job, message, chat="old") for _ in range(2)]
    scene.chat.errors = [ChatMoved("new")]
    async with scene.herald():

        async def have_moved() -> bool:
            rows = [await scene.row(request) for request in requests]
            return all(row.chat_id == "new" and row.status_message not in (None, "m") for row in rows)

        await eventually(have_moved)
        await scene.looked()
    rows = [await scene.row(request) for request in requests]
    posts = {line["message"] for line in scene.chat.shown if line["how"] == "post"}
    assert {row.status_message for row in rows} <= posts
    assert len({row.status_message for row in rows}) == 2


async def test_an_outage_of_the_database_is_outlived(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    job = await scene.job()
    await scene.request(job, "m")
    async with scene.herald():
        await scene.shown(1)
        outage = Outage(scene.database, monkeypatch, "read", 6)
        await eventually(outage.is_over)
        await scene.report(job, 1)
        await scene.shown(2)
    assert scene.chat.progress == [1]


async def test_of_two_heralds_one_posts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.deliveries, "POST_CLAIM", 60.0)
    requests = [await scene.request(await scene.job()) for _ in range(5)]
    async with scene.herald(), scene.herald():
        for request in requests:
            await scene.posted(request)
        await scene.looked()
    assert hows(scene).count("post") == 5


async def test_a_post_under_way_at_the_end_is_noted(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, real = asyncio.Event(), scene.chat.post

    async def slow(request: Request, view: JobView) -> str:
        begun.set()
        await asyncio.sleep(0.2)
        return await real(request, view)

    monkeypatch.setattr(scene.chat, "post", slow)
    request = await scene.request(await scene.job())
    async with scene.herald():
        await begun.wait()
    assert (await scene.row(request)).status_message is not None
