"""Somebody changes their mind: before, during and beside others."""

from pathlib import Path

import pytest

from bots.intake import Submitted
from shared.errors import Code, JobError
from shared.models import JobState
from tests.journeys.service import Service, job_processes, no_process_left, open_service, settings_for, slowly
from tests.site.server import MediaSite
from tests.waiting import eventually
from worker.child import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANCELLED = JobError(Code.CANCELLED).message


async def test_a_queued_job_that_is_cancelled_never_starts(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> None:
    site.reset()
    settings = settings_for(tmp_path / "data", site, max_concurrent_downloads=1)
    async with open_service(settings, site, children) as service:
        running = await service.ask("/tube/slow")
        await eventually(lambda: _started(service, running))
        waiting = await service.ask("/watch/sample", "bob")
        await service.cancel(waiting)
        assert (await service.told(waiting))["error"] == CANCELLED
        await service.cancel(running)
        await service.told(running)
        job = await service.job(waiting.job_id)
    assert (job.state, job.attempt) == (JobState.CANCELLED, 0)
    assert site.hits("/watch/sample") == 0


STAGES = {
    "looking, in Python": ("/tube/stuck", {}),
    "looking, on the network": ("/tube/slow", {}),
    "downloading": (slowly(50_000), {}),
    "downloading in parts": ("/hls60/index.m3u8?latency=1", {}),
    "fetching captions": ("/tube/ferry?latency=3", {"media": False, "languages": ("en",)}),
}


@pytest.mark.parametrize(
    "stage", [pytest.param(s, marks=pytest.mark.slow if "parts" in s else ()) for s in STAGES]
)
async def test_a_running_job_that_is_cancelled_ends_and_says_so(service: Service, stage: str) -> None:
    link, options = STAGES[stage]
    asked = await service.ask(link, **options)
    if stage.startswith("downloading"):
        await service.downloading(asked)
    await eventually(_has_process)
    await _cancel_and_see(service, asked)


async def test_a_conversion_that_is_cancelled_ends_and_says_so(service: Service) -> None:
    asked = await service.ask("/embed/sample?media=/big/30MB.mp4", format="webm")
    await eventually(_converts)
    await _cancel_and_see(service, asked)


async def test_one_of_two_askers_leaves_and_the_other_is_served(service: Service) -> None:
    first = await service.ask(slowly(700_000), "ann")
    second = await service.ask(slowly(700_000), "bob")
    await service.downloading(first)
    await service.cancel(first)
    view = await service.ended(second)
    assert view.state is JobState.DONE
    assert (await service.told(second))["state"] == "done"
    assert (await service.request(first)).cancelled
    assert (await service.told(first))["error"] == CANCELLED


@pytest.mark.slow
async def test_whoever_asks_after_a_cancel_gets_the_file(service: Service) -> None:
    first = await service.ask("/watch/sample?latency=1")
    await eventually(lambda: _started(service, first))
    await service.cancel(first)
    assert (await service.get("/watch/sample?latency=1", "bob")).state is JobState.DONE
    assert (await service.told(first))["error"] == CANCELLED


async def _cancel_and_see(service: Service, asked: Submitted) -> None:
    await service.cancel(asked)
    result = await service.told(asked)
    assert (result["state"], result["error"], result["artifacts"]) == ("cancelled", CANCELLED, [])
    await eventually(no_process_left)
    assert (await service.job(asked.job_id)).state is JobState.CANCELLED
    await eventually(lambda: service.is_tidy(asked))


async def _started(service: Service, asked: Submitted) -> bool:
    return (await service.job(asked.job_id)).state is JobState.RUNNING


async def _has_process() -> bool:
    return bool(job_processes())


async def _converts() -> bool:
    return any("ffmpeg" in process for process in job_processes())
