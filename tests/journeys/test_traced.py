"""What is traced: from the intake to the delivery, one trace; and what others do for a request is linked."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import worker.janitor
from linkferry.compose import open_parts
from shared.models import JobState
from tests.journeys.service import Service, open_service, settings_for, slowly, submit
from tests.site.server import MediaSite
from tests.tracing import Kept, Traced, kept
from tests.waiting import eventually
from worker.child import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

INTO_THE_WORKER = ["submit", "publish", "claim", "attempt"]


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kept]:
    """Everything traced while the test runs. No janitor in a hurry publishes what the outbox is about to."""
    monkeypatch.setattr(worker.janitor, "LOST_TICKETS", 0)
    with kept() as traces:
        yield traces


async def delivered(traces: Kept, count: int = 1) -> list[Traced]:
    """Wait until so many deliveries have ended; in the order in which they did."""

    async def have_ended() -> bool:
        return len(traces.named("deliver")) >= count

    await eventually(have_ended)
    return traces.named("deliver")


def tells(span: Traced, words: str) -> bool:
    """Whether these words are anywhere in it."""
    return any(words in str(value) for value in [span.name, *span.facts.values()])


async def test_a_request_is_one_trace_with_a_span_for_each_stage(traces: Kept, service: Service) -> None:
    asked = await service.ask("/watch/sample?token=secret", languages=("en",))
    title = str((await service.told(asked))["title"])
    await delivered(traces)
    stages = ["probe", "download", "captions", "convert", "verify", "store"]
    assert [span.name for span in traces.ended()] == [*INTO_THE_WORKER[:3], *stages, "attempt", "deliver"]
    assert len({span.trace for span in traces.ended()}) == 1
    for stage in stages:
        assert traces.way(traces.one(stage)) == [*INTO_THE_WORKER, stage]
        assert traces.one(stage)["stage"] == stage
    assert traces.way(traces.one("deliver")) == ["submit", "deliver"]
    attempt = traces.one("attempt")
    assert (attempt["job_id"], attempt["attempt"], attempt["site"]) == (str(asked.job_id), 1, "127.0.0.1")
    assert traces.one("submit")["request_id"] == str(asked.request_id)
    assert not [span for span in traces.ended() if span.is_error or span.links]
    assert not [
        span for span in traces.ended() for words in ("/watch", "secret", title) if tells(span, words)
    ]


async def test_every_attempt_is_in_the_trace_and_tells_its_failure_by_its_code(
    traces: Kept, service: Service
) -> None:
    asked = await service.ask("/fault/status/503/media/sample.mp4?times=1&token=traced")
    assert (await service.ended(asked)).state is JobState.DONE
    await delivered(traces)
    first, second = traces.named("attempt")
    assert first.trace == second.trace == traces.one("submit").trace
    assert [attempt["attempt"] for attempt in (first, second)] == [1, 2]
    assert (first.facts["error.type"], first.is_error, second.is_error) == ("site_error", True, False)
    failed = next(span for span in traces.ended() if span.parent == first.id)
    assert failed.facts["error.type"] == "site_error"


async def test_who_joins_a_job_has_a_trace_of_their_own_that_is_linked(
    traces: Kept, service: Service
) -> None:
    first = await service.ask(slowly(1_000_000), "ann")
    second = await service.ask(slowly(1_000_000), "bob")
    assert first.job_id == second.job_id
    deliveries = {span["request_id"]: span for span in await delivered(traces, 2)}
    maker, joiner = traces.named("submit")
    assert (maker.links, joiner.links) == ((), (maker.trace,))
    assert traces.one("attempt").trace == maker.trace
    assert deliveries[str(first.request_id)].trace == maker.trace
    theirs = deliveries[str(second.request_id)]
    assert (theirs.trace, theirs.parent, theirs.links) == (joiner.trace, joiner.id, (maker.trace,))


async def test_a_twin_is_linked_to_the_job_that_has_the_same_media(traces: Kept, service: Service) -> None:
    await service.get("/tube/ferry")
    asked = await service.ask("/tube/watch?v=ferry&t=3", "bob")
    await service.told(asked)
    await delivered(traces, 1)
    maker, other = traces.named("submit")
    assert [span.links for span in traces.named("attempt") if span.trace == other.trace] == [(maker.trace,)]
    (theirs,) = [span for span in traces.named("deliver") if span["request_id"] == str(asked.request_id)]
    assert (theirs.trace, theirs.links) == (other.trace, (maker.trace,))


async def test_a_crash_between_the_commit_and_the_queue_keeps_the_trace(
    traces: Kept, tmp_path: Path, site: MediaSite, children: ChildServer
) -> None:
    settings = settings_for(tmp_path / "data", site)
    async with open_parts(settings) as parts:  # nobody publishes here
        asked = await submit(parts, site, "/watch/sample")
    assert [span.name for span in traces.ended()] == ["submit"]
    async with open_service(settings, site, children) as service:
        await service.told(asked)
        await delivered(traces)
    assert traces.way(traces.named("store")[0])[0] == "submit"
    assert traces.named("attempt")[0].trace == traces.one("deliver").trace == traces.one("submit").trace


async def test_what_was_asked_for_before_there_was_tracing_is_carried_and_traced_from_there(
    tmp_path: Path, site: MediaSite, children: ChildServer
) -> None:
    settings = settings_for(tmp_path / "data", site)
    async with open_parts(settings) as parts:
        asked = await submit(parts, site, "/watch/sample")
        assert (await parts.follower.view(asked.job_id)) is not None
    with kept() as traces:
        async with open_service(settings, site, children) as service:
            assert (await service.job(asked.job_id)).traceparent is None
            await service.told(asked)
            await delivered(traces)
        assert traces.way(traces.one("store")) == ["claim", "attempt", "store"]


async def test_without_tracing_no_row_has_a_place_in_a_trace(service: Service) -> None:
    asked = await service.ask("/watch/sample")
    await service.told(asked)
    assert (await service.job(asked.job_id)).traceparent is None
    assert (await service.request(asked)).traceparent is None
