"""A video without captions: what is said in it is heard, and nothing but its sound is fetched."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.errors import Code
from shared.models import ArtifactKind, JobState
from shared.options import Clip
from shared.states import Stage
from tests.journeys.service import Service, open_service, settings_for
from tests.site.server import MediaSite
from tests.site.speech import SENTENCES
from tests.waiting import eventually
from tests.worker.speech.conftest import MODEL
from tests.worker.speech.processes import listeners
from tests.worker.speech.said import ffmpeg, word_error_rate
from worker.child import ChildServer
from worker.speech.listen import NOBODY, OFF

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

SUBS = {"media": False, "languages": ("orig",)}
SMALLEST = "/tube/media/249.webm"  # opus at the lowest rate
WORST = 0.16  # of 25 words; measured 0.04 to 0.08 in what codecs leave of it


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hearing(
    tmp_path_factory: pytest.TempPathFactory, site: MediaSite, children: ChildServer, hurry: None
) -> AsyncIterator[Service]:
    """A service that can listen."""
    settings = settings_for(
        tmp_path_factory.mktemp("hearing") / "data", site, speech_model=str(MODEL), speech_threads=2
    )
    async with open_service(settings, site, children) as running:
        yield running


def media_fetched(site: MediaSite) -> set[str]:
    """Sound and video; thumbnails are neither."""
    paths = {path for path in site.ledger.requests if path.startswith(("/tube/media", "/media/"))}
    return {path for path in paths if "thumbnail" not in path}


async def test_without_captions_the_smallest_sound_is_fetched_and_heard(
    hearing: Service, site: MediaSite
) -> None:
    site.reset()
    view = await hearing.get("/tube/nocaptions", **SUBS)
    assert view.state is JobState.DONE, view.error
    made = {(a.kind, a.format, a.language, a.source) for a in view.artifacts if a.language}
    assert made == {
        (k, f, "en", "speech") for k, f in (("captions", "srt"), ("captions", "vtt"), ("transcript", "txt"))
    }
    assert not {"video", "audio"} & {a.kind for a in view.artifacts}
    assert media_fetched(site) == {SMALLEST}
    lines = (await hearing.file(view, ArtifactKind.CAPTIONS, "srt")).read_text().splitlines()
    heard = " ".join(line for line in lines if "-->" not in line and not line.isdigit())
    assert word_error_rate(" ".join(SENTENCES["en-US"]), heard) <= WORST
    assert view.note is None


async def test_a_video_without_captions_gets_them_from_its_own_sound(
    hearing: Service, site: MediaSite
) -> None:
    site.reset()
    view = await hearing.get("/embed/sample?captions=0", languages=("en",))
    assert view.state is JobState.DONE, view.error
    assert {"video", "captions", "transcript"} <= {a.kind for a in view.artifacts}
    assert {a.source for a in view.artifacts if a.language} == {"speech"}
    assert media_fetched(site) == {"/media/sample.mp4"}


async def test_captions_of_the_site_come_before_what_is_heard(hearing: Service, site: MediaSite) -> None:
    site.reset()
    view = await hearing.get("/tube/ferry", **SUBS)
    assert {a.source for a in view.artifacts if a.language} == {"manual"}
    assert not media_fetched(site)


async def test_speech_that_is_asked_for_is_heard_whatever_captions_there_are(hearing: Service) -> None:
    view = await hearing.get("/tube/ferry-2", **SUBS, speech=True)
    assert {a.source for a in view.artifacts if a.language} == {"speech"}


async def test_captions_that_the_site_hides_are_waited_for(hearing: Service, site: MediaSite) -> None:
    """They are there, so asking again later is right, and listening for hours is not."""
    site.reset()
    view = await hearing.get("/tube/ferry-3?captions=503", languages=("en",), quality="480p")
    assert view.state is JobState.DONE and view.note and "did not hand out" in view.note
    assert not [a for a in view.artifacts if a.source == "speech"]


async def test_a_clip_has_what_is_said_in_it(hearing: Service) -> None:
    view = await hearing.get("/tube/nocaptions-2", **SUBS, clip=Clip(start=2, end=6.5))
    text = (await hearing.file(view, ArtifactKind.CAPTIONS, "srt")).read_text().lower()
    assert "ferry" in text and "ticket" in text and "travel" not in text and "welcome" not in text
    assert "00:00:00," in text and "00:00:05" not in text


async def test_a_video_in_which_nobody_speaks_gets_a_sentence(hearing: Service, site: MediaSite) -> None:
    quiet = site.root / "media" / "quiet.mp4"
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=10", "-f", "lavfi", "-i", "anullsrc"),
        *("-t", "5", "-c:v", "libx264", "-c:a", "aac", quiet.name),
        folder=quiet.parent,
    )
    try:
        asked = await hearing.ask("/media/quiet.mp4", **SUBS)
        view = await hearing.ended(asked)
        video = await hearing.get("/media/quiet.mp4", languages=("en",))
    finally:
        quiet.unlink()
    assert view.error and view.error.code == Code.NO_CAPTIONS
    assert NOBODY in (await hearing.told(asked))["error"]
    assert video.state is JobState.DONE and video.note == f"There were no captions in English. {NOBODY}"


async def test_cancelling_while_listening_ends_every_process(hearing: Service, site: MediaSite) -> None:
    long = site.root / "media" / "long.m4a"
    ffmpeg("-stream_loop", "200", "-i", "sample.m4a", "-c", "copy", long.name, folder=long.parent)
    try:
        asked = await hearing.ask("/media/long.m4a", **SUBS)

        async def is_listening() -> bool:
            return (await hearing.job(asked.job_id)).stage is Stage.SPEECH and "ffmpeg" in listeners()

        await eventually(is_listening)
        await hearing.cancel(asked)
        view = await hearing.ended(asked)
    finally:
        long.unlink()
    assert view.state is JobState.CANCELLED

    async def is_silent() -> bool:
        return not listeners()

    await eventually(is_silent)


async def test_while_one_listens_others_are_fetched(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> None:
    long = site.root / "media" / "longer.m4a"
    ffmpeg("-stream_loop", "200", "-i", "sample.m4a", "-c", "copy", long.name, folder=long.parent)
    settings = settings_for(
        tmp_path / "data", site, speech_model=str(MODEL), speech_threads=1, max_concurrent_downloads=1
    )
    try:
        async with open_service(settings, site, children) as service:
            asked = await service.ask("/media/longer.m4a", **SUBS)

            async def is_listening() -> bool:
                return (await service.job(asked.job_id)).stage is Stage.SPEECH

            await eventually(is_listening)
            view = await service.get("/watch/sample", "bob")
            assert view.state is JobState.DONE
            assert (await service.job(asked.job_id)).state is JobState.RUNNING
            await service.cancel(asked)
            await service.ended(asked)
    finally:
        long.unlink()


async def test_where_it_is_off_only_who_asks_for_it_is_told(busy_service: Service) -> None:
    view = await busy_service.get("/tube/nocaptions-3", **SUBS)
    assert view.error and view.error.code == Code.NO_CAPTIONS and OFF not in view.error.message
    view = await busy_service.get("/tube/nocaptions-3", **SUBS, speech=True)
    assert view.error and view.error.code == Code.NO_CAPTIONS and view.error.message.startswith(OFF)
    view = await busy_service.get("/tube/ferry-4", **SUBS, speech=True)
    assert view.state is JobState.DONE and view.note == OFF


async def test_a_missing_model_is_told_with_what_is_missing(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> None:
    settings = settings_for(tmp_path / "data", site, speech_model=str(tmp_path / "nowhere"))
    async with open_service(settings, site, children) as service:
        view = await service.get("/tube/nocaptions-5", **SUBS)
        assert view.error and "speech model is missing" in view.error.message
        assert str(tmp_path) not in json.dumps(view.model_dump(mode="json"))
