"""One result for each request, whatever the chat does."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import select, update

import shared.chat.deliver
from shared import deliveries
from shared.chat.deliver import Deliverer
from shared.chat.port import ChatMoved, Throttled
from shared.database import Database, db_now
from shared.errors import Code, JobError
from shared.ids import new_id
from shared.jobs import Fence
from shared.links import Links
from shared.models import Artifact, ArtifactKind, Delivery, Job, JobState, Request
from shared.results import JobView, Results
from shared.settings import Settings
from tests.journeys.chat import PLATFORM, Fault, RecordingChat
from tests.shared.conftest import end
from tests.sqlite import new_database
from tests.subjects import recorded, subject
from tests.waiting import eventually


class StubbornChat(RecordingChat):
    """The next calls raise `errors`, one each, and nothing is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: list[Exception | None] = []
        self.asked: list[tuple[str, str]] = []  # how, and in which chat
        self.views: list[JobView] = []

    async def _show(self, how: str, request: Request, message: str, view: JobView) -> None:
        self.asked.append((how, request.chat_id))
        if error := self.errors.pop(0) if self.errors else None:
            raise error
        await super()._show(how, request, message, view)
        self.views.append(view)


@dataclass
class Post:
    """Deliverers, their chat, and jobs that have ended."""

    database: Database
    chat: StubbornChat
    make_deliverer: Callable[[], Deliverer]

    async def finished_job(self, *message: str | None) -> list[UUID]:
        """A job that is done, and a request for it for each status message; returns the requests."""
        job_id = new_id()
        requests = [
            Request(
                id=new_id(), event_key=str(new_id()), platform=PLATFORM, chat_id="c", user_id="u",
                job_id=job_id, status_message=shown,
            )
            for shown in message
        ]  # fmt: skip
        artifact = Artifact(
            job_id=job_id, kind=ArtifactKind.VIDEO, format="mp4", file_name="a.mp4",
            content_type="video/mp4", storage_key=f"{job_id}/1.video.mp4", size=1, sha256="0" * 64,
        )  # fmt: skip
        running = Job(
            id=job_id, link="https://a.example", site="a.example", user_key="u", options={},
            state=JobState.RUNNING, attempt=1,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(running)
            await session.flush()
            session.add_all(requests)
            await session.flush()
            await end(session, Fence(job_id, 1), artifact)
        return [request.id for request in requests]

    async def deliver_all(self, deliverers: int = 1) -> None:
        """Let so many deliverers work until each request is delivered, or was tried and postponed."""
        before = await self.failures()

        async def all_tried() -> bool:
            now = await self.failures()
            return all(number not in now or now[number] > failures for number, failures in before.items())

        working = [asyncio.create_task(self.make_deliverer().run()) for _ in range(deliverers)]
        await eventually(all_tried)
        for task in working:
            task.cancel()
        await asyncio.wait(working)

    async def failures(self) -> dict[UUID, int]:
        """The requests that still wait, and how often their delivery has failed."""
        async with self.database.read() as session:
            waiting = select(Request.id, Request.delivery_failures)
            rows = await session.execute(waiting.where(Request.delivery == Delivery.PENDING))
            return {row.id: row.delivery_failures for row in rows}

    async def row(self, request_id: UUID) -> Request:
        """The request as it is now."""
        async with self.database.read() as session:
            return await session.get_one(Request, request_id)

    async def rests(self, request_id: UUID, seconds: float) -> bool:
        """Whether nobody tries to deliver this for so long."""
        later = select(Request.id).where(Request.id == request_id, Request.delivery_after > db_now(seconds))
        async with self.database.read() as session:
            return await session.scalar(later) is not None

    async def make_due(self) -> None:
        """Time passes."""
        async with self.database.write() as session:
            await session.execute(update(Request).values(delivery_after=db_now(-1)))

    async def pending(self) -> int:
        """How many requests still wait."""
        return len(await self.failures())


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """Everything a delivery needs, on an empty database."""
    database = await new_database(tmp_path)
    chat = StubbornChat()
    results = Results(Settings(_env_file=None, data_dir=tmp_path), Links(["k" * 32]))
    yield Post(database, chat, lambda: Deliverer(database, {PLATFORM: chat}, results))
    await database.close()


async def test_a_status_message_is_edited_and_a_lost_one_is_replaced(post: Post) -> None:
    edited, posted = await post.finished_job("m1", None)
    await post.deliver_all()
    assert [line["how"] for line in post.chat.shown if line["request"] == str(edited)] == ["edit"]
    assert [line["how"] for line in post.chat.shown if line["request"] == str(posted)] == ["post", "edit"]
    async with post.database.read() as session:
        assert (await session.get_one(Request, posted)).status_message == post.chat.shown[-1]["message"]


async def test_a_refused_edit_is_tried_again_later_and_then_never_more(post: Post) -> None:
    (request,) = await post.finished_job("m1")
    post.chat.faults = [Fault.REFUSED, Fault.REFUSED]
    for _ in range(4):
        await post.deliver_all()
        await post.make_due()
    assert post.chat.calls == 3
    assert len(post.chat.results(request)) == 1
    assert await post.pending() == 0


async def test_what_is_logged_of_a_delivery_names_it(post: Post) -> None:
    (request,) = await post.finished_job("m1")
    post.chat.faults = [Fault.REFUSED]
    with recorded() as records:
        await post.deliver_all()
    job = (await post.row(request)).job_id
    assert subject(records, "the final edit failed") == {
        "platform": PLATFORM,
        "request_id": str(request),
        "job_id": str(job),
    }


async def test_an_edit_whose_answer_was_lost_shows_the_same_once_more(post: Post) -> None:
    (request,) = await post.finished_job("m1")
    post.chat.faults = [Fault.ANSWER_LOST]
    await post.deliver_all()
    await post.make_due()
    await post.deliver_all()
    assert len(post.chat.shown) == 2
    assert len(post.chat.results(request)) == 1


@pytest.mark.slow
async def test_a_chat_that_never_answers_holds_up_nobody_else(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.chat.deliver, "EDIT_TIMEOUT", 3)
    requests = await post.finished_job("m1", "m2", "m3")
    post.chat.faults = [Fault.SILENT]
    await post.deliver_all()
    assert await post.pending() == 1
    await post.make_due()
    await post.deliver_all()
    assert [len(post.chat.results(request)) for request in requests] == [1, 1, 1]


async def test_a_message_that_the_person_deleted_is_not_tried_again(post: Post) -> None:
    await post.finished_job("m1")
    post.chat.faults = [Fault.GONE]
    await post.deliver_all()
    await post.make_due()
    await post.deliver_all()
    assert (post.chat.calls, await post.pending()) == (1, 0)


async def test_two_deliverers_share_the_work_and_nobody_is_told_twice(post: Post) -> None:
    requests = await post.finished_job(*(f"m{number}" for number in range(60)))
    await post.deliver_all(deliverers=3)
    assert post.chat.calls == len(requests)
    assert await post.pending() == 0


async def test_whoever_left_a_job_is_told_that_and_not_its_result(post: Post) -> None:
    left, stayed = await post.finished_job("m1", "m2")
    async with post.database.write() as session:  # as it would be had they left before the end
        await session.execute(update(Request).where(Request.id == left).values(cancelled=True))
    await post.deliver_all()
    assert [result["error"] for result in post.chat.results(left)] == [JobError(Code.CANCELLED).message]
    assert [result["state"] for result in post.chat.results(stayed)] == ["done"]


async def test_a_chat_that_wants_rest_gets_it_without_that_counting_as_a_failure(post: Post) -> None:
    (request,) = await post.finished_job("m1")
    post.chat.errors = [Throttled(500)]
    async with working(post):
        await eventually(lambda: post.rests(request, 400))
    assert (await post.row(request)).delivery_failures == 0
    await post.make_due()
    await post.deliver_all()
    assert len(post.chat.results(request)) == 1
    assert post.chat.asked == [("edit", "c")] * 2


async def test_rest_that_is_wanted_between_post_and_edit_costs_no_second_post(post: Post) -> None:
    (request,) = await post.finished_job(None)
    post.chat.errors = [None, Throttled(500)]
    async with working(post):
        await eventually(lambda: post.rests(request, 400))
    await post.make_due()
    await post.deliver_all()
    assert [line["how"] for line in post.chat.shown] == ["post", "edit"]


@pytest.mark.parametrize("shown", ["m1", None])
async def test_a_chat_that_moved_gets_the_result_in_a_new_message_there(
    post: Post, shown: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.chat.deliver, "LOOK_INTERVAL", 0.1)
    (request,) = await post.finished_job(shown)
    post.chat.errors = [ChatMoved("new")]
    await post.deliver_all()
    assert post.chat.asked[1:] == [("post", "new"), ("edit", "new")]
    assert (await post.row(request)).status_message == post.chat.shown[-1]["message"]
    assert len(post.chat.results(request)) == 1


async def test_whoever_waits_in_a_chat_that_moved_is_told_there_too(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.chat.deliver, "LOOK_INTERVAL", 0.1)
    requests = await post.finished_job("m1", "m2", "m3")
    post.chat.errors = [ChatMoved("new")] * 3
    await post.deliver_all()
    assert [len(post.chat.results(request)) for request in requests] == [1, 1, 1]
    assert {chat for _, chat in post.chat.asked[3:]} == {"new"}


async def test_a_file_that_takes_long_to_send_is_not_sent_by_somebody_else_meanwhile(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared.chat.deliver, "HOLD", 0.05)
    (request,) = await post.finished_job("m1")
    post.chat.faults = [Fault.SILENT]
    async with working(post):
        await eventually(lambda: post.rests(request, 0))
        await post.make_due()
        await eventually(lambda: post.rests(request, 30))
    assert post.chat.calls == 1


async def test_the_message_that_a_crash_cost_asks_nothing_before_it_is_known(post: Post) -> None:
    offered = {"offers": [{"height": 720, "size": None}], "has_audio": True}
    found = offered | {"captions": [], "automatic_captions": []}
    await post.finished_job(None)
    async with post.database.write() as session:
        await session.execute(update(Job).values(options={"probe_only": True}, media=found))
    await post.deliver_all()
    assert [view.offers is not None for view in post.chat.views] == [False, True]


@asynccontextmanager
async def working(post: Post) -> AsyncIterator[None]:
    """A deliverer at work."""
    task = asyncio.create_task(post.make_deliverer().run())
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_a_platform_that_is_let_go_gets_nothing_more_and_its_calls_may_end(post: Post) -> None:
    requests = await post.finished_job("m1", "m2")
    post.chat.faults = [Fault.SILENT]
    deliverer = post.make_deliverer()
    running = asyncio.create_task(deliverer.run())

    async def one_is_shown() -> bool:
        return post.chat.calls == 2 and await post.pending() == 1

    await eventually(one_is_shown)
    await deliverer.let_go(PLATFORM, 0.05)
    await post.finished_job("m3")
    deliverer.nudge()
    await asyncio.sleep(0.1)
    assert post.chat.calls == 2
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await post.make_due()
    await post.deliver_all()
    assert [len(post.chat.results(request)) for request in requests] == [1, 1]


async def test_a_request_started_anew_meanwhile_is_told_its_new_end(post: Post) -> None:
    (request,) = await post.finished_job("m1")
    async with post.database.write() as session:
        await session.execute(update(Request).values(delivery_after=None))
        await deliveries.delivered(session, request, "m1")
    assert await post.pending() == 1
