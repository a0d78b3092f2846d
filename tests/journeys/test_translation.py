"""From `to spanish` in a chat to transcripts in two languages, or to the original and one sentence."""

import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import worker.janitor
from bots.commands import Get, Subs, parse
from shared.models import ArtifactKind, JobState
from shared.options import Options
from shared.results import JobView
from tests.journeys.service import Service, open_service, settings_for
from tests.site.server import MediaSite
from tests.waiting import eventually
from tests.worker.translate.libre import Fault, LibreServer, libre_server
from worker.child import ChildServer
from worker.translate import libretranslate

pytestmark = pytest.mark.asyncio(loop_scope="session")

Opening = Callable[..., AbstractAsyncContextManager[Service]]
NO = "The translation to Spanish did not work; here is the original."


@pytest_asyncio.fixture(loop_scope="session")
async def opening(tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None) -> Opening:
    """Opens a service with settings of its own."""
    site.reset()

    def open_one(**changes: Any) -> AbstractAsyncContextManager[Service]:
        return open_service(settings_for(tmp_path / "data", site, **changes), site, children)

    return open_one


@pytest_asyncio.fixture(loop_scope="session")
async def libre(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[LibreServer]:
    """A server of ours that speaks LibreTranslate's API; its client waits for nothing long."""
    monkeypatch.setattr(libretranslate, "PAUSE", 0.01)
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(libre_server())


def wish(text: str) -> dict[str, Any]:
    """The options of a message, as a bot reads it."""
    (command,) = parse(text.replace("LINK", "https://example.com/"))
    assert isinstance(command, Get | Subs)
    return Options.model_validate(command.options).model_dump(exclude_unset=True)


def files(view: JobView) -> set[tuple[str, str | None, str | None]]:
    return {(a.format, a.language, a.source) for a in view.artifacts if a.language}


def both(source: str) -> set[tuple[str, str | None, str | None]]:
    """English from this source and a translation to Spanish, in every format."""
    tracks = (("en", source), ("es", "translated"))
    return {(form, language, made) for form in ("srt", "vtt", "txt") for language, made in tracks}


PAGES = [
    ("/tube/manualonly", "manual"),
    ("/tube/ferry?translated=429", "manual"),
    ("/tube/autoonly?translated=429", "automatic"),
]


@pytest.mark.parametrize(("page", "source"), PAGES)
async def test_an_english_film_comes_in_english_and_spanish(opening: Opening, page: str, source: str) -> None:
    """By the real Apertium; the site has no Spanish, or has it and hands it out to nobody."""
    async with opening() as service:
        asked = await service.ask(page, **wish("/subs LINK en to spanish"))
        view = await service.ended(asked)
        assert view.state is JobState.DONE, view.error
        assert files(view) == both(source)
        assert (await service.told(asked))["note"] is None
        texts = [path.read_text() for path in (service.data_dir / "files").rglob("*.srt")]
        english, spanish = sorted(texts, key=lambda text: "transbordador" in text)
        assert "the ferry leaves" in english.lower()
        assert "transbordador" in spanish
        assert english.splitlines()[1] == spanish.splitlines()[1]  # the same times


async def test_the_sites_own_spanish_is_taken_when_it_is_there(opening: Opening, libre: LibreServer) -> None:
    async with opening(libretranslate_url=libre.url) as service:
        view = await service.get("/tube/ferry", **wish("/subs LINK en srt to es"))
        assert files(view) == {("srt", "en", "manual"), ("srt", "es", "translated")}
        assert libre.asked == []


async def test_a_video_brings_its_translation_along(opening: Opening, libre: LibreServer) -> None:
    libre.api_key = "right"
    async with opening(libretranslate_url=libre.url, libretranslate_api_key="right") as service:
        view = await service.get("/tube/manualonly", **wish("/get LINK worst subs en to es"))
        assert view.state is JobState.DONE, view.error
        assert files(view) == both("manual")
        assert view.artifacts[0].kind is ArtifactKind.VIDEO
        assert view.note is None


async def test_a_translator_that_is_down_costs_only_the_translation(
    opening: Opening, libre: LibreServer
) -> None:
    libre.faults = [Fault.BROKEN] * libretranslate.TRIES
    async with opening(libretranslate_url=libre.url) as service:
        asked = await service.ask("/tube/manualonly", **wish("/subs LINK en srt to es"))
        view = await service.ended(asked)
        assert view.state is JobState.DONE, view.error
        assert files(view) == {("srt", "en", "manual")}
        assert (await service.told(asked))["note"] == NO
        again = await service.get("/tube/manualonly", **wish("/subs LINK en srt to es"))
        assert files(again) == {("srt", "en", "manual"), ("srt", "es", "translated")}
        assert again.note is None


NOTES = [
    ("none", "sw", "There is no translator here, and the site gave no captions in Swahili."),
    ("apertium", "sw", "I cannot translate English to Swahili, only to "),
]


@pytest.mark.parametrize(("translator", "target", "note"), NOTES)
async def test_what_cannot_be_had_is_said(opening: Opening, translator: str, target: str, note: str) -> None:
    async with opening(translator=translator) as service:
        asked = await service.ask("/tube/manualonly", **wish(f"/subs LINK en srt to {target}"))
        view = await service.ended(asked)
        assert view.state is JobState.DONE, view.error
        assert files(view) == {("srt", "en", "manual")}
        assert (await service.told(asked))["note"].startswith(note)


async def test_what_was_translated_is_kept_no_longer_than_the_files(
    opening: Opening, libre: LibreServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.janitor, "RETENTION_INTERVAL", 0.1)
    async with opening(libretranslate_url=libre.url) as service:
        await service.get("/tube/manualonly", **wish("/subs LINK en srt to es"))
        (kept,) = (service.data_dir / "translations").glob("*/*.json")

        async def is_gone() -> bool:
            return not kept.exists()

        assert not await is_gone()
        old = time.time() - service.parts.settings.retention - 1
        os.utime(kept, (old, old))
        await eventually(is_gone)


async def test_a_translation_shows_its_stage_and_can_be_cancelled(
    opening: Opening, libre: LibreServer
) -> None:
    libre.faults = [Fault.SLOW] * 5
    async with opening(libretranslate_url=libre.url) as service:
        asked = await service.ask("/tube/manualonly", **wish("/subs LINK en to es"))

        async def is_translating() -> bool:
            return (await service.job(asked.job_id)).stage == "translate"

        await eventually(is_translating)
        await service.cancel(asked)
        assert (await service.ended(asked)).state is JobState.CANCELLED
        await eventually(lambda: service.is_tidy(asked))
