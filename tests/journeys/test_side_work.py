"""What stands beside the video never costs it; what is missing is said."""

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Code
from shared.models import ArtifactKind, JobState
from tests.journeys.service import Service
from tests.site.server import MediaSite
from worker.child import Child

pytestmark = pytest.mark.asyncio(loop_scope="session")


def dies_in(monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    """Have the child killed whenever this is asked of it."""
    real = getattr(Child, call)

    async def killed(child: Child, *args: Any) -> Any:
        os.kill(child.pid, signal.SIGKILL)
        return await real(child, *args)

    monkeypatch.setattr(Child, call, killed)


@pytest.mark.parametrize("call", ["captions", "extras"])
async def test_a_child_that_dies_beside_the_video_costs_only_that(
    service: Service, site: MediaSite, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    dies_in(monkeypatch, call)
    asked = await service.ask("/tube/ferry", quality="480p", languages=("en",))
    view = await service.ended(asked)
    job = await service.job(asked.job_id)
    assert (view.state, job.attempt, job.crashes) == (JobState.DONE, 1, 0), view.error
    assert view.artifacts[0].kind == "video"
    had = {artifact.kind for artifact in view.artifacts}
    assert (ArtifactKind.CAPTIONS in had) == (call == "extras")
    note = (await service.told(asked))["note"]
    assert note == ("The site did not hand out its captions just now." if call == "captions" else None)


async def test_a_child_that_dies_over_the_captions_that_were_the_job_is_a_crash(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    dies_in(monkeypatch, "captions")
    asked = await service.ask("/tube/ferry", media=False, languages=("en",))
    assert (await service.ended(asked)).state is JobState.FAILED
    job = await service.job(asked.job_id)
    assert (job.error_code, job.crashes) == (Code.CRASHED, 3)


WITHHELD = "The site did not hand out its captions just now."
HIDDEN = "The site has captions, but hides them from programs like me."
NOTES: list[tuple[str, dict[str, Any], str | None]] = [
    ("/tube/nocaptions", {"languages": ("de",)}, "There were no captions in German."),
    ("/tube/ferry?captions=429", {"languages": ("en",)}, WITHHELD),
    ("/tube/nocaptions-9?captions=hidden", {"languages": ("de",)}, HIDDEN),
    ("/tube/ferry", {"languages": ("en", "sw")}, "There were no captions in Swahili."),
    ("/tube/ferry", {"languages": ("en",)}, None),
]


@pytest.mark.parametrize(("link", "options", "note"), NOTES)
async def test_missing_captions_of_a_video_are_said(
    busy_service: Service, link: str, options: dict[str, Any], note: str | None
) -> None:
    asked = await busy_service.ask(link, quality="worst", **options)
    view = await busy_service.ended(asked)
    assert view.state is JobState.DONE, view.error
    assert (await busy_service.told(asked))["note"] == note


async def test_a_translation_of_the_sites_own_is_brought(busy_service: Service) -> None:
    view = await busy_service.get("/tube/autoonly", media=False, languages=("en",), translate_to="de")
    assert view.state is JobState.DONE, view.error
    assert {(a.language, a.source) for a in view.artifacts if a.format == "srt"} == {
        ("en", "automatic"),
        ("de", "translated"),
    }
    assert view.note is None


async def test_captions_that_are_none_are_said_and_do_not_spoil_the_video(
    busy_service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = "/embed/sample?captions=en&title=unreadable"
    real = Child.captions

    async def spoiled(child: Child, languages: Any) -> Any:
        tracks = await real(child, languages)
        Path(tracks[0].path).write_text("<html>Please log in</html>")
        return tracks

    monkeypatch.setattr(Child, "captions", spoiled)
    asked = await busy_service.ask(page, languages=("en",))
    view = await busy_service.ended(asked)
    assert view.state is JobState.DONE, view.error
    assert (await busy_service.told(asked))["note"] == "The captions in English could not be read."
