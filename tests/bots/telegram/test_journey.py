"""From a link to the film, with the real worker and the media site."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

import shared.retry
from tests.bots.telegram.conftest import settings_for, working
from tests.site.server import MediaSite
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private
from worker.child import ChildServer

PATIENCE = 60.0  # seconds

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def telegram() -> AsyncIterator[TelegramDouble]:
    async with TelegramDouble() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def private(
    telegram: TelegramDouble, tmp_path: Path, site: MediaSite, children: ChildServer
) -> AsyncIterator[Private]:
    """Ann alone with a bot that has a worker."""
    site.reset()
    ann = telegram.user("Ann")
    settings = settings_for(
        tmp_path / "data",
        telegram,
        telegram_allowed=(str(ann.id),),
        allowed_addresses=(f"127.0.0.1:{site.port}",),
    )
    async with working(settings, children):
        yield telegram.private(ann)


async def test_a_link_becomes_a_question_and_the_answer_a_film(private: Private, site: MediaSite) -> None:
    await private.sends(site.url("/watch/sample"))
    question = await private.shows(lambda shown: "Audio" in shown.labels)
    press = await private.presses(question, "Audio")
    assert await press.answered() == "On it."
    film = await private.shows(lambda shown: shown.media is not None)
    assert film.message_id == question.message_id
    assert len(private.messages) == 1


async def test_a_film_is_fetched_found_and_told_of(private: Private, site: MediaSite) -> None:
    await private.sends(f"/get {site.url('/watch/sample')} 480p")
    film = await private.shows(lambda shown: shown.media is not None)
    assert film.media is not None and film.media.kind == "video"
    title = film.text.splitlines()[0]
    await private.sends(f"/find {title.split()[0].lower()}")
    await private.shows(lambda shown: shown.message_id != film.message_id and title in shown.text)
    await private.sends("/status")
    listed = await private.shows(lambda shown: " · Done" in shown.text and title in shown.text)
    name = listed.text.split()[0]
    await private.sends(f"/status {name}")
    await private.shows(lambda shown: shown.text.startswith(f"{name} {title}\nDone"))
    await private.sends(f"/cancel {name}")
    await private.shows("That is over already; its message shows how, or will in a moment.")


async def test_what_is_said_is_found_with_its_moment(private: Private, site: MediaSite) -> None:
    await private.sends(f"/subs {site.url('/embed/sample?captions=en')} en")
    transcript = await private.shows(lambda shown: shown.media is not None)
    await private.sends('/find "ferry LEAVES" nóon')
    found = await private.shows(lambda shown: "0:02 " in shown.text)
    assert found.message_id != transcript.message_id
    assert "The ferry leaves at noon." in found.text


async def test_a_failure_that_stays_offers_no_other_try(private: Private, site: MediaSite) -> None:
    await private.sends(f"/get {site.url('/nothing/here')}")
    failed = await private.shows(lambda shown: "nothing at that link" in shown.text)
    assert failed.labels == [], "it would not help"


@pytest.fixture
def no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker gives up sooner, so that it is the person who tries again."""
    monkeypatch.setattr(shared.retry, "MAX_FAILURES", 2)
    monkeypatch.setattr(shared.retry, "BASE_DELAY", 0.1)


async def test_what_failed_for_a_while_is_tried_again_in_the_same_message(
    private: Private, site: MediaSite, no_patience: None
) -> None:
    broken = "/fault/status/503/media/sample.mp4?times=2&token=retry"
    await private.sends(f"/get {site.url(broken)}")
    failed = await private.shows(lambda shown: "Retry" in shown.labels, PATIENCE)
    assert "The site answered with an error of its own." in failed.text
    presses = [await private.presses(failed, "Retry") for _ in range(2)]
    assert await presses[0].answered() == "Trying again."
    await presses[1].answered()
    film = await private.shows(lambda shown: shown.media is not None, PATIENCE)
    assert (film.message_id, len(private.messages)) == (failed.message_id, 1)
    assert (
        film.media is not None and film.media.content == site.root.joinpath("media/sample.mp4").read_bytes()
    )
