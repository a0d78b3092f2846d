"""What goes wrong ends in words: at once when trying again cannot help, else after trying again."""

from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import update

from shared import jobs
from shared.database import db_now
from shared.errors import FAILURES, Code, JobError
from shared.models import CoolDown, Job, JobState
from shared.retry import MAX_FAILURES
from tests.journeys.service import Service, no_process_left, open_service, settings_for
from tests.site.server import MediaSite
from tests.waiting import eventually
from worker.child import ChildServer, NoChild
from worker.child.identity import digest

pytestmark = pytest.mark.asyncio(loop_scope="session")


def page(media: str) -> str:
    """A page around a media address."""
    return f"/embed/sample?media={quote(media, safe='')}"


PERMANENT = {
    "/tube/private": Code.PRIVATE,
    "/tube/login": Code.LOGIN_REQUIRED,
    "/tube/members": Code.LOGIN_REQUIRED,
    "/tube/age": Code.AGE_RESTRICTED,
    "/tube/geo": Code.GEO_BLOCKED,
    "/tube/drm": Code.DRM,
    "/tube/live": Code.LIVE,
    "/tube/upcoming": Code.LIVE,
    "/tube/premiere": Code.LIVE,
    "/tube/removed": Code.NOT_FOUND,
    "/tube/terminated": Code.NOT_FOUND,
    "/tube/gone": Code.NOT_FOUND,
    "/nothing/here": Code.NOT_FOUND,
    "/endless/live.m3u8": Code.LIVE,
    "/fault/html/x.mp4": Code.UNSUPPORTED,
    page("/fault/html/x.mp4?type=video/mp4"): Code.UNSUPPORTED,
    "http://127.0.0.1:1/x.mp4": Code.BLOCKED_ADDRESS,
}
BROKEN = {
    page("/fault/empty/x.mp4"): Code.BROKEN_FILE,
    "/hls60/index.m3u8?missing=7": Code.BROKEN_FILE,
    "/tube/bug": Code.INTERNAL,
    "/tube/processing": Code.SITE_ERROR,
}


@pytest.mark.parametrize(("link", "code"), PERMANENT.items())
async def test_what_cannot_be_helped_fails_at_once_in_words(
    busy_service: Service, link: str, code: Code
) -> None:
    asked = await busy_service.ask(link)
    view = await busy_service.ended(asked)
    assert view.error is not None
    assert (view.state, view.error.code) == (JobState.FAILED, code), view.error
    job = await busy_service.job(asked.job_id)
    assert (job.attempt, job.failures, job.crashes) == (1, 1, 0)
    said = (await busy_service.told(asked))["error"]
    assert said == f"{FAILURES[code].sentence} {FAILURES[code].next_step}"
    await eventually(lambda: busy_service.is_tidy(asked))


@pytest.mark.slow
@pytest.mark.parametrize(("link", "code"), BROKEN.items())
async def test_what_may_pass_is_tried_again_and_then_fails_in_words(
    busy_service: Service, link: str, code: Code
) -> None:
    asked = await busy_service.ask(link)
    view = await busy_service.ended(asked)
    assert view.error is not None
    assert (view.state, view.error.code) == (JobState.FAILED, code), view.error
    assert view.error.message.startswith(FAILURES[code].sentence)
    assert "Error" not in view.error.message
    assert (await busy_service.job(asked.job_id)).failures == MAX_FAILURES


@pytest.mark.slow
async def test_a_site_that_fails_twice_is_asked_a_third_time(service: Service) -> None:
    asked = await service.ask("/tube/flaky-1?times=2")
    assert (await service.ended(asked)).state is JobState.DONE
    job = await service.job(asked.job_id)
    assert (job.failures, job.crashes, job.attempt) == (2, 0, 3)
    assert (await service.told(asked))["error"] is None


async def test_a_connection_cut_in_the_middle_of_the_file_is_resumed(
    service: Service, site: MediaSite
) -> None:
    view = await service.get(page("/fault/cut/media/sample.mp4?times=1&at=700000"))
    assert view.state is JobState.DONE
    assert site.hits("/fault/cut/media/sample.mp4") == 2
    assert site.bytes_sent < 1_500_000  # not 700 kB more than the file


@pytest.mark.slow
async def test_a_connection_cut_more_often_than_yt_dlp_tries_is_resumed_by_the_next_attempt(
    service: Service, site: MediaSite
) -> None:
    asked = await service.ask(page("/fault/cut/media/sample.mp4?times=5&at=700000"))
    assert (await service.ended(asked)).state is JobState.DONE
    assert (await service.job(asked.job_id)).failures == 1
    assert site.bytes_sent < 1_500_000


async def test_a_broken_file_is_fetched_anew_and_not_found_again(service: Service, site: MediaSite) -> None:
    async with service.parts.database.write() as session:
        await jobs.cool_down(session, "127.0.0.1", 3600)  # time to put something into the work folder
    asked = await service.ask("/embed/sample")
    await eventually(lambda: _waits(service, asked.job_id))
    name = f"media.{digest('HTML5MediaEmbed sample-1')[:10]}.0.mp4"  # as a first attempt would have called it
    broken = service.work_dir(asked.job_id) / name
    broken.parent.mkdir(parents=True)
    broken.write_bytes((site.root / "media" / "sample.mp4").read_bytes()[:300_000])
    await _has_rested(service)
    assert (await service.ended(asked)).state is JobState.DONE
    job = await service.job(asked.job_id)
    assert (job.failures, site.hits("/media/sample.mp4")) == (1, 1)


async def test_what_stays_broken_is_not_fetched_five_times(service: Service) -> None:
    """Segments prove nothing, so the page's word counts; fetched again they are the same."""
    asked = await service.ask("/watch/hls?duration=60")
    view = await service.ended(asked)
    assert view.error is not None
    assert (view.state, view.error.code) == (JobState.FAILED, Code.DAMAGED)
    assert (await service.job(asked.job_id)).attempt == 2


async def test_the_time_limit_covers_the_whole_attempt(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> None:
    settings = settings_for(tmp_path / "data", site, download_timeout=1)
    async with open_service(settings, site, children) as service:
        view = await service.get("/embed/sample?media=/big/30MB.mp4", format="webm")
    assert view.error is not None
    assert (view.state, view.error.code) == (JobState.FAILED, Code.TIMED_OUT)
    await eventually(no_process_left)


@pytest.mark.parametrize("step", ["describe", "identify", "finish_many"])
async def test_a_database_that_is_away_for_a_moment_costs_no_attempt(
    service: Service, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    real, refused = getattr(jobs, step), []

    async def refuse_once(*args: object, **values: object) -> object:
        if not refused:
            refused.append(args)
            raise OSError("the disk went away for a moment")
        return await real(*args, **values)

    monkeypatch.setattr(jobs, step, refuse_once)
    asked = await service.ask("/tube/ferry")
    assert (await service.ended(asked)).state is JobState.DONE
    job = await service.job(asked.job_id)
    assert (job.attempt, job.failures, len(refused)) == (1, 0, 1)


@pytest.mark.slow
async def test_a_site_that_asks_for_rest_gets_it_from_every_job(service: Service, site: MediaSite) -> None:
    first = await service.ask("/fault/status/429/media/sample.mp4?times=1&retry_after=3600")
    await eventually(lambda: _waits(service, first.job_id))
    second = await service.ask("/watch/sample", "bob")
    await eventually(lambda: _waits(service, second.job_id))
    assert site.hits("/watch/sample") == 0
    waiting = await service.job(second.job_id)
    assert (waiting.failures, waiting.error_message) == (0, FAILURES[Code.THROTTLED].sentence)
    await _has_rested(service)
    for asked in (first, second):
        assert (await service.ended(asked)).state is JobState.DONE
    assert (await service.job(second.job_id)).failures == 0


@pytest.mark.parametrize(
    ("scene", "code"), {"bot": Code.BOT_CHECK, "captcha": Code.BOT_CHECK, "limited": Code.THROTTLED}.items()
)
async def test_a_bot_check_lets_the_site_rest(service: Service, scene: str, code: Code) -> None:
    asked = await service.ask(f"/tube/{scene}")
    await eventually(lambda: _waits(service, asked.job_id))
    assert (await service.job(asked.job_id)).error_code is code
    async with service.parts.database.read() as session:
        assert "127.0.0.1" in await jobs.resting(session, ["127.0.0.1"])
    await service.cancel(asked)
    assert (await service.told(asked))["error"] == JobError(Code.CANCELLED).message


async def test_a_child_that_crashes_three_times_is_quarantined_and_nobody_else_suffers(
    service: Service,
) -> None:
    crashing = await service.ask("/tube/crash")
    other = await service.ask("/watch/sample", "bob")
    view = await service.ended(crashing)
    job = await service.job(crashing.job_id)
    assert (view.state, job.error_code, job.crashes, job.failures) == (JobState.FAILED, Code.CRASHED, 3, 0)
    assert (await service.told(crashing))["error"].startswith(FAILURES[Code.CRASHED].sentence)
    assert (await service.ended(other)).state is JobState.DONE
    assert (await service.job(other.job_id)).crashes == 0
    await eventually(no_process_left)


async def test_a_machine_without_a_warm_process_costs_its_jobs_nothing(
    service: Service, children: ChildServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def identify(link: str) -> None:
        children._is_warm.clear()
        raise NoChild("no process to be had")

    async def waits_in_vain() -> bool:
        return await service.parts.queue.depth() >= 1

    with monkeypatch.context() as patch:
        patch.setattr(children, "identify", identify)
        asked = await service.ask("/watch/sample")
        await eventually(lambda: _waits(service, asked.job_id))
        await eventually(waits_in_vain)
    assert (await service.job(asked.job_id)).attempt == 1
    children._is_warm.set()
    assert (await service.ended(asked)).state is JobState.DONE
    job = await service.job(asked.job_id)
    assert (job.attempt, job.crashes, job.failures) == (2, 0, 0)


async def test_cookies_that_vanished_fail_the_attempt_and_the_log_says_why(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None, caplog: pytest.LogCaptureFixture
) -> None:
    settings = settings_for(tmp_path / "data", site, cookie_file=tmp_path / "gone")
    async with open_service(settings, site, children) as service:
        view = await service.get("/tube/ferry")
    assert view.error is not None
    assert (view.state, view.error.code) == (JobState.FAILED, Code.INTERNAL)
    assert "LINKFERRY_COOKIE_FILE names a file I cannot read" in caplog.text
    assert "Traceback" not in caplog.text


async def test_a_playlist_is_refused_with_its_count_where_none_is_allowed(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> None:
    settings = settings_for(tmp_path / "data", site, playlist_limit=0)
    async with open_service(settings, site, children) as service:
        view = await service.get("/tube/playlist-37")
    assert view.error is not None
    assert (view.state, view.error.code) == (JobState.FAILED, Code.PLAYLIST)
    assert "37" in view.error.message


async def test_a_playlist_brings_its_first_entry_and_says_so(service: Service) -> None:
    asked = await service.ask("/tube/playlist-37")
    view = await service.ended(asked)
    assert (view.state, view.title) == (JobState.DONE, "The ferry at noon, as the tube has it")
    assert "37" in (await service.told(asked))["note"]


async def test_a_file_larger_than_allowed_is_refused(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> None:
    site.reset()
    settings = settings_for(tmp_path / "data", site, max_file_size_gb=0.005)
    async with open_service(settings, site, children) as service:
        for link in ("/big/10GB.mp4", "/endless.mp4", "/endless/index.m3u8"):
            view = await service.get(link)
            assert view.error is not None
            assert view.error.code == Code.TOO_LARGE
            assert "0.005 GB" in view.error.message
    assert site.bytes_sent < 200_000_000


async def _has_rested(service: Service) -> None:
    """As if the time that the site has to rest were over."""
    async with service.parts.database.write() as session:
        await session.execute(update(CoolDown).values(until=db_now()))
        await session.execute(update(Job).where(Job.run_after.is_not(None)).values(run_after=db_now()))


async def _waits(service: Service, job_id: object) -> bool:
    job = await service.job(job_id)  # type: ignore[arg-type]
    return job.state is JobState.QUEUED and job.run_after is not None
