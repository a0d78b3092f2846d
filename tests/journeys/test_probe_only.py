"""A link that is only looked at: it ends in a question, and nothing of the film itself is fetched."""

import pytest

from shared.chat.choices import choices, options_of
from shared.errors import FAILURES, Code
from shared.models import ArtifactKind, Delivery, JobState
from shared.options import Quality
from shared.results import JobView, Offers
from tests.journeys.service import Service
from tests.site.server import MediaSite
from tests.waiting import eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")


def offers_of(view: JobView) -> Offers:
    """What the link offers; the job has ended well."""
    assert view.state is JobState.DONE, view.error
    assert view.offers is not None
    return view.offers


async def test_it_ends_with_what_the_link_offers_and_without_a_byte_of_it(
    service: Service, site: MediaSite
) -> None:
    asked = await service.ask("/tube/ferry", probe_only=True)
    view = await service.ended(asked)
    offers = offers_of(view)
    heights = [offer.height for offer in offers.heights]
    assert heights == sorted(heights, reverse=True)
    assert {2160, 1080, 720, 144} <= set(heights)
    sizes = [offer.size_bytes for offer in offers.heights]
    assert all(size and size > 1000 for size in sizes)
    assert offers.has_audio
    assert {"en", "de"} <= set(offers.captions)
    assert offers.automatic_captions
    assert (view.title, view.duration_seconds) == ("The ferry at noon, as the tube has it", 12)
    assert view.artifacts == ()
    assert set(site.ledger.requests) == {"/tube/api/player"}
    await eventually(lambda: service.is_tidy(asked))


@pytest.mark.parametrize(
    ("link", "labels"),
    {
        "/tube/lowres": ["360p", "Audio", "Transcript"],
        "/tube/nocaptions": ["2160p", "1440p", "1080p", "720p", "480p", "Audio"],
        "/tube/silent": ["2160p", "1440p", "1080p", "720p", "480p", "Transcript"],
        "/tube/audioonly": ["Best quality", "Audio", "Transcript"],
        "/media/sample.mp4": ["Best quality", "Audio"],
    }.items(),
)
async def test_people_can_choose_from_what_there_is(
    busy_service: Service, link: str, labels: list[str]
) -> None:
    offered = choices(offers_of(await busy_service.get(link, probe_only=True)))
    assert [choice.label.partition(" · ")[0] for choice in offered] == labels


async def test_what_was_chosen_is_fetched_and_delivered_as_ever(service: Service) -> None:
    offered = choices(offers_of(await service.get("/tube/ferry", probe_only=True)))
    word = next(choice.word for choice in offered if choice.label.startswith("480p"))
    view = await service.get("/tube/ferry", **options_of(word).model_dump())
    assert (view.artifacts[0].kind, view.artifacts[0].height) == (ArtifactKind.VIDEO, 480)


async def test_the_question_is_delivered_once(service: Service) -> None:
    asked = await service.ask("/tube/ferry", probe_only=True)
    told = await service.told(asked)
    assert (told["state"], told["artifacts"], told["error"]) == ("done", [], None)
    assert (await service.request(asked)).delivery is Delivery.DELIVERED


async def test_a_link_that_cannot_be_had_is_refused_with_the_usual_sentence(service: Service) -> None:
    asked = await service.ask("/tube/private", probe_only=True)
    view = await service.ended(asked)
    assert view.offers is None
    assert (await service.told(asked))["error"].startswith(FAILURES[Code.PRIVATE].sentence)
    await eventually(lambda: service.is_tidy(asked))


@pytest.mark.parametrize("link", ["/tube/ferry", "/watch/sample"])
async def test_the_same_link_later_is_looked_at_anew(service: Service, site: MediaSite, link: str) -> None:
    first = await service.get(link, probe_only=True)
    before = sum(site.ledger.requests.values())
    second = await service.get(link, probe_only=True)
    assert first.job_id != second.job_id
    assert sum(site.ledger.requests.values()) == 2 * before
    assert offers_of(second) == offers_of(first)


async def test_two_who_send_the_same_link_at_once_wait_for_one_look(
    service: Service, site: MediaSite
) -> None:
    first = await service.ask("/tube/ferry?latency=0.5", "ann", probe_only=True)
    second = await service.ask("/tube/ferry?latency=0.5", "bob", probe_only=True)
    assert second.job_id == first.job_id
    assert [(await service.told(asked))["state"] for asked in (first, second)] == ["done", "done"]
    assert site.hits("/tube/api/player") == 1


async def test_a_look_does_not_answer_for_the_film_nor_the_film_for_a_look(service: Service) -> None:
    look = await service.get("/tube/ferry", probe_only=True)
    film = await service.get("/tube/ferry", quality=Quality.P480)
    again = await service.get("/tube/ferry", probe_only=True)
    assert len({look.job_id, film.job_id, again.job_id}) == 3
    assert film.artifacts
    assert not again.artifacts
