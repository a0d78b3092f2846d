"""The same link twice, in any spelling, at any time."""

import os

import pytest
from sqlalchemy import update

from bots.intake import Origin
from shared.database import db_now
from shared.link import parse_link
from shared.models import Artifact, ArtifactKind, JobState
from shared.options import Options
from tests.journeys.service import Service, slowly
from tests.site.server import MediaSite
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")

SHORT, LONG = "/tube/ferry", "/tube/watch?v=ferry&t=3"


async def test_a_link_sent_twice_while_active_is_one_job_and_two_deliveries(
    service: Service, site: MediaSite
) -> None:
    first = await service.ask(slowly(1_000_000), "ann")
    second = await service.ask(slowly(1_000_000), "bob")
    assert second.job_id == first.job_id
    await service.ended(first)
    told = [await service.told(asked) for asked in (first, second)]
    assert [result["state"] for result in told] == ["done", "done"]
    assert told[0]["message"] != told[1]["message"]
    assert site.hits("/embed/sample") == 1


async def test_the_same_event_arriving_twice_is_one_request(service: Service, site: MediaSite) -> None:
    asked = await service.ask("/tube/ferry")
    request = await service.request(asked)
    again = await service.parts.intake.submit(
        parse_link(site.url("/tube/ferry")), Options(), Origin("recording", "x", "ann", request.event_key)
    )
    assert (again.request_id, again.is_new) == (asked.request_id, False)
    await service.ended(asked)


async def test_a_finished_link_is_answered_without_asking_the_site(service: Service, site: MediaSite) -> None:
    first = await service.get("/watch/sample")
    site.reset()
    asked = await service.ask("/watch/sample", "bob")
    assert (await service.told(asked))["state"] == "done"
    assert asked.job_id == first.job_id
    assert (sum(site.ledger.requests.values()), site.bytes_sent) == (0, 0)


async def test_other_options_are_another_job(service: Service) -> None:
    first = await service.get("/watch/sample")
    second = await service.get("/watch/sample", format="m4a")
    assert second.job_id != first.job_id


async def test_another_spelling_of_a_finished_link_is_answered_without_asking_the_site(
    service: Service, site: MediaSite
) -> None:
    first = await service.get(SHORT)
    site.reset()
    asked = await service.ask(LONG, "bob")
    assert (await service.told(asked))["state"] == "done"
    assert (await service.ended(asked)).job_id == first.job_id
    assert (await service.job(asked.job_id)).state is JobState.JOINED
    assert sum(site.ledger.requests.values()) == 0


async def test_another_spelling_of_a_link_that_is_being_carried_joins_it(
    service: Service, site: MediaSite
) -> None:
    first = await service.ask(f"{SHORT}?latency=0.7")
    await eventually(lambda: _started(service, first.job_id))
    second = await service.ask(LONG, "bob")
    assert (await service.ended(second)).job_id == first.job_id
    for asked in (first, second):
        assert (await service.told(asked))["state"] == "done"
    assert site.hits("/tube/api/player") == 1


@pytest.mark.parametrize("again", [SHORT, LONG])
async def test_files_that_somebody_deleted_or_cut_are_fetched_again(
    service: Service, site: MediaSite, again: str
) -> None:
    first = await service.get(SHORT)
    film = await service.file(first, ArtifactKind.VIDEO)
    if again == SHORT:
        film.unlink()
    else:
        os.truncate(film, 5)
    site.reset()
    second = await service.get(again, "bob")
    assert (second.state, second.job_id != first.job_id) == (JobState.DONE, True)
    assert (await service.file(second, ArtifactKind.VIDEO)).is_file()
    assert site.hits("/tube/api/player") == 1


@pytest.mark.parametrize("again", [SHORT, LONG])
async def test_files_whose_time_is_over_are_fetched_again(
    service: Service, site: MediaSite, again: str
) -> None:
    first = await service.get(SHORT)
    async with service.parts.database.write() as session:
        await session.execute(update(Artifact).values(expires_at=db_now(-1)))
    second = await service.get(again, "bob")
    assert (second.state, second.job_id != first.job_id) == (JobState.DONE, True)
    assert site.hits("/tube/api/player") == 2


async def test_addresses_that_end_alike_are_different_videos(service: Service) -> None:
    """yt-dlp names both `sample`, or both `sample-1`: only the whole address tells them apart."""
    links = ("/media/sample.mp4", "/fault/norange/media/sample.mp4")
    pages = ("/embed/sample?title=A", "/embed/sample?title=B")
    views = [await service.get(link) for link in (*links, *pages)]
    assert len({view.job_id for view in views}) == 4
    assert [view.title for view in views[2:]] == ["A (1)", "B (1)"]


async def test_a_playlist_is_not_mistaken_for_its_first_entry(service: Service) -> None:
    playlist = await service.ask("/tube/playlist-3")
    await service.ended(playlist)
    entry = await service.ask("/tube/video-1", "bob")
    await service.ended(entry)
    assert "playlist of 3" in (await service.told(playlist))["note"]
    assert (await service.told(entry))["note"] is None


async def _started(service: Service, job_id: object) -> bool:
    return (await service.job(job_id)).state is JobState.RUNNING  # type: ignore[arg-type]
