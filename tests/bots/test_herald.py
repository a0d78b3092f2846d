"""What people see while their jobs go on: one message, kept true, and left alone after the end."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

import bots.herald
from bots.herald import Herald
from shared import jobs, presence
from shared.chat.pace import Pace
from shared.chat.paced import PacedClient
from shared.errors import Code, JobError
from shared.jobs import Fence
from shared.models import Job, JobState
from shared.retry import Verdict
from tests.bots.scene import Scene, hows, is_claimed, is_delivered, running
from tests.journeys.chat import PLATFORM
from tests.waiting import eventually

# the first message


async def test_each_request_without_a_message_gets_one(scene: Scene) -> None:
    job = await scene.job()
    first, second = await scene.request(job), await scene.request(job)
    async with scene.herald():
        messages = {await scene.posted(first), await scene.posted(second)}
    assert messages == {line["message"] for line in scene.chat.shown}
    assert hows(scene) == ["post", "post"]


async def test_after_a_restart_who_has_a_message_keeps_it_and_who_has_none_gets_one(scene: Scene) -> None:
    job = await scene.job()
    early = await scene.request(job)
    async with scene.herald():
        message = await scene.posted(early)
    late = await scene.request(job)
    async with scene.herald():
        await scene.posted(late)
        await scene.shown(3)
        await scene.looked()
    assert hows(scene).count("post") == 2
    assert {line["message"] for line in scene.chat.shown if line["request"] == str(early)} == {message}


async def test_whoever_has_no_message_comes_before_those_who_see_progress(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots.herald, "MOST", 2)
    requests = [await scene.request(await scene.job()) for _ in range(5)]
    async with scene.herald():
        assert len({await scene.posted(request) for request in requests}) == 5


# progress


async def test_a_slow_chat_sees_the_newest_progress_and_none_of_what_it_missed(scene: Scene) -> None:
    job = await scene.job()
    await scene.request(job, "m")
    await scene.report(job, 1)
    async with scene.herald():
        scene.chat.gate.clear()
        await scene.stuck()
        for done in (2, 3, 4):
            await scene.report(job, done)
        scene.chat.gate.set()
        await scene.shown(2)
        await scene.report(job, 5)
        await scene.shown(3)
    assert scene.chat.progress == [1, 4, 5]


async def test_a_message_is_edited_no_sooner_than_its_interval_allows(scene: Scene) -> None:
    job = await scene.job()
    await scene.request(job, "m")
    async with scene.herald(base=1e6):
        await scene.shown(1)
        await scene.report(job, 1)
        await scene.looked()
    assert hows(scene) == ["edit"]


async def test_a_job_that_stands_still_costs_no_edits(scene: Scene) -> None:
    job = await scene.job()
    await scene.request(job, "m")
    async with scene.herald():
        await scene.shown(1)
        await scene.looked()
    assert hows(scene) == ["edit"]


async def test_seconds_until_the_next_try_cost_no_edits_but_the_next_try_does(scene: Scene) -> None:
    job = await scene.job(JobState.QUEUED, run_after=datetime.now(UTC) + timedelta(seconds=60))
    await scene.request(job, "m")
    async with scene.herald():
        await scene.shown(1)
        await scene.looked()
        assert hows(scene) == ["edit"]
        async with scene.database.write() as session:
            await session.execute(update(Job).values(run_after=None))
        await scene.shown(2)
    assert [view.retry_in is None for view in scene.chat.views] == [False, True]


async def test_a_better_guess_when_a_job_will_start_costs_no_edit_but_its_place_does(scene: Scene) -> None:
    now = datetime.now(UTC)
    times = {"started_at": now - timedelta(seconds=9), "finished_at": now}
    async with scene.database.write() as session:
        await presence.sign(session, "a:1", slots=1)
    await scene.job(JobState.DONE, **times)
    ahead = await scene.job(JobState.QUEUED)
    await scene.request(await scene.job(JobState.QUEUED), "m")
    async with scene.herald():
        await scene.shown(1)
        await scene.job(JobState.DONE, **(times | {"started_at": now - timedelta(seconds=99)}))
        await scene.looked()
        assert hows(scene) == ["edit"]
        async with scene.database.write() as session:
            await session.execute(update(Job).where(Job.id == ahead).values(state=JobState.RUNNING))
        await scene.shown(2)
    first, second = scene.chat.views
    assert (first.position, second.position) == (2, 1)
    assert first.starts_in == 18
    assert second.starts_in == 54


async def test_a_job_that_joins_another_goes_on_in_the_same_message(scene: Scene) -> None:
    twin, job = await scene.job(), await scene.job()
    request = await scene.request(job, "m")
    await scene.report(twin, 7)
    async with scene.herald():
        await scene.shown(1)
        async with scene.database.write() as session:
            await jobs.join(session, Fence(job, 1), twin)
        await scene.shown(2)
    assert {line["message"] for line in scene.chat.shown} == {"m"}
    assert scene.chat.progress == [7]
    assert scene.ended == 0
    assert (await scene.row(request)).job_id == twin


# the end


async def test_the_end_of_a_job_elsewhere_is_noticed(scene: Scene) -> None:
    job = await scene.job()
    await scene.request(job, "m")
    async with scene.herald():
        await scene.shown(1)
        assert scene.ended == 0
        await scene.finish(job)

        async def is_noticed() -> bool:
            return scene.ended > 0

        await eventually(is_noticed)
    assert hows(scene) == ["edit"]


async def test_herald_and_deliverer_that_post_at_the_same_moment_post_once(scene: Scene) -> None:
    job = await scene.job()
    request = await scene.request(job)
    scene.chat.gate.clear()
    async with scene.herald() as client:
        await scene.stuck()
        await scene.finish(job)
        async with running(scene.deliverer(client).run()):
            await eventually(lambda: is_claimed(scene, request))
            scene.chat.gate.set()
            await eventually(lambda: is_delivered(scene, request))
    assert hows(scene) == ["post", "edit"]
    assert len(scene.chat.results(request)) == 1
    assert scene.chat.views[-1].state is JobState.DONE


async def test_progress_under_way_never_overwrites_the_result(scene: Scene) -> None:
    job = await scene.job()
    request = await scene.request(job, "m")
    scene.chat.gate.clear()
    async with scene.herald() as client, running((deliverer := scene.deliverer(client)).run()):
        await scene.stuck()
        await scene.finish(job)
        deliverer.nudge()
        await eventually(lambda: is_claimed(scene, request))
        scene.chat.gate.set()
        await eventually(lambda: is_delivered(scene, request))
    assert [view.state for view in scene.chat.views] == [JobState.RUNNING, JobState.DONE]


async def test_what_the_herald_read_before_the_end_is_not_shown_after_it(scene: Scene) -> None:
    job = await scene.job()
    request = await scene.request(job, "m")
    async with scene.herald() as client:
        await scene.shown(1)
        scene.follower.hold_at = 1
        await scene.report(job, 1)
        await scene.follower.held.wait()
        await scene.finish(job)
        async with running(scene.deliverer(client).run()):
            await eventually(lambda: is_delivered(scene, request))
        await scene.request(await scene.job(), "m2")
        scene.follower.go.set()
        await scene.looked()
    assert [line["state"] for line in scene.chat.shown if line["message"] == "m"] == ["running", "done"]
    assert 1 not in scene.chat.progress


async def test_a_job_that_is_started_anew_shows_its_progress_in_the_same_message(scene: Scene) -> None:
    job = await scene.job()
    request = await scene.request(job, "m")
    async with scene.herald() as client:
        await scene.shown(1)
        async with scene.database.write() as session:
            error = JobError(Code.NETWORK)
            await jobs.fail(session, Fence(job, 1), error, Verdict(None), "a.example")
        async with running(scene.deliverer(client).run()):
            await eventually(lambda: is_delivered(scene, request))
        async with scene.database.write() as session:
            assert await jobs.retry(session, job)
        await scene.shown(3)
    states = [line["state"] for line in scene.chat.shown]
    assert states == ["running", "failed", "queued"]


async def test_what_is_over_is_forgotten(scene: Scene) -> None:
    job = await scene.job()
    await scene.request(job, "m")
    client = PacedClient(scene.chat, Pace(lambda _: (), 0))
    herald = Herald(scene.database, scene.follower, PLATFORM, client)
    async with running(herald.run()):
        await scene.shown(1)
        await scene.finish(job)

        async def is_forgotten() -> bool:
            return not (herald._shown or client.pace._edited)

        await eventually(is_forgotten)
