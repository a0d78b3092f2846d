"""What arrives is what was asked for: formats, heights, clips, metadata, captions, and safe names."""

import json
import re
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from shared.errors import Code
from shared.models import ArtifactKind, JobState
from shared.options import CaptionFormat, Clip
from shared.results import JobView
from tests.journeys.processes import Home, stop
from tests.journeys.service import Service, open_service, settings_for
from tests.site.pages import CHAPTERS
from tests.site.server import MediaSite
from tests.site.speech import SENTENCES
from worker.child import ChildServer
from worker.media.probe import Kind, first_frame, inspect
from worker.transcripts import ELSEWHERE, NONE

pytestmark = pytest.mark.asyncio(loop_scope="session")

WANTED: list[tuple[dict[str, Any], str, str, int | None]] = [
    ({}, "video", "mp4", 1080),
    ({"quality": "best"}, "video", "mp4", 2160),
    ({"quality": "1440p", "format": "webm"}, "video", "webm", 1440),
    ({"quality": "720p", "format": "mkv"}, "video", "mkv", 720),
    ({"quality": "480p"}, "video", "mp4", 480),
    ({"quality": "worst"}, "video", "mp4", 144),
    ({"format": "mp3"}, "audio", "mp3", None),
    ({"format": "m4a"}, "audio", "m4a", None),
    ({"format": "wav"}, "audio", "wav", None),
    ({"quality": "480p", "clip": Clip(start=2, end=7)}, "video", "mp4", 480),
    ({"format": "m4a", "clip": Clip(start=2, end=7)}, "audio", "m4a", None),
]


@pytest.mark.parametrize(("options", "kind", "form", "height"), WANTED)
async def test_what_was_asked_for_arrives(
    busy_service: Service, options: dict[str, Any], kind: str, form: str, height: int | None
) -> None:
    view = await busy_service.get("/tube/ferry", **options)
    assert view.state is JobState.DONE, view.error
    result = view.artifacts[0]
    assert (result.kind, result.format, result.height) == (kind, form, height)
    file = await busy_service.file(view, ArtifactKind(kind))
    facts = await inspect(file)
    assert bool(facts.of(Kind.VIDEO)) == (kind == "video")
    assert facts.of(Kind.AUDIO)
    assert facts.duration == pytest.approx(5 if "clip" in options else 12, abs=1)
    assert result.size_bytes == file.stat().st_size


@pytest.mark.parametrize(
    ("scene", "height"), {"lowres": 360, "silent": 1080, "webmonly": 1080, "audioonly": None}.items()
)
async def test_the_best_there_is_below_what_was_asked_for_arrives(
    busy_service: Service, scene: str, height: int | None
) -> None:
    view = await busy_service.get(f"/tube/{scene}")
    assert view.state is JobState.DONE, view.error
    assert view.artifacts[0].height == height


@pytest.mark.parametrize("link", ["/watch/hls", "/watch/dash"])
async def test_streams_in_parts_arrive_whole(busy_service: Service, link: str) -> None:
    view = await busy_service.get(link)
    assert view.state is JobState.DONE, view.error
    assert view.artifacts[0].height == 720


async def test_a_clip_of_a_transport_stream_begins_with_its_pictures(busy_service: Service) -> None:
    view = await busy_service.get("/watch/hls", format="mkv", clip=Clip(start=3, end=6))  # keyframes: 2, 4
    assert view.state is JobState.DONE, view.error
    facts = await inspect(await busy_service.file(view, ArtifactKind.VIDEO))
    first = await first_frame(facts, facts.of(Kind.VIDEO)[0])
    assert first is not None
    assert first + facts.start_time < 0.3
    assert facts.duration == pytest.approx(3, abs=0.2)


async def test_a_clip_that_starts_after_the_end_is_refused_before_a_byte_is_fetched(
    service: Service, site: MediaSite
) -> None:
    view = await service.get("/tube/ferry", clip=Clip(start=100, end=110))
    assert view.error is not None
    assert view.error.code == Code.CLIP_OUTSIDE
    assert not [path for path in site.ledger.requests if path.startswith("/tube/media")]


async def test_metadata_is_kept_on_the_job_and_as_files(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tverysecret\n")
    settings = settings_for(tmp_path / "data", site, cookie_file=cookies)
    async with open_service(settings, site, children) as service:
        asked = await service.ask("/tube/ferry")
        view = await service.ended(asked)
        job = await service.job(asked.job_id)
        info_file = await service.file(view, ArtifactKind.INFO)
        thumbnail = await service.file(view, ArtifactKind.THUMBNAIL)
    assert (job.title, job.duration) == ("The ferry at noon, as the tube has it", 12.0)
    assert job.media is not None
    assert (job.media["channel"], job.media["upload_date"]) == ("Harbour Films", "2024-05-17")
    assert [chapter["title"] for chapter in job.media["chapters"]] == ["Arrival", "Crossing", "Farewell"]
    assert thumbnail.stat().st_size > 0
    text = info_file.read_text()
    assert json.loads(text)["title"] == job.title
    for secret in ("http_headers", "cookies", "verysecret", "User-Agent"):
        assert secret not in text
    kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"verysecret" in path.read_bytes()]


SUBS = {"media": False, "languages": ("en",)}


async def test_a_transcript_alone_never_fetches_the_video(service: Service, site: MediaSite) -> None:
    view = await service.get("/tube/ferry", **SUBS)
    assert view.state is JobState.DONE, view.error
    kinds = {(artifact.kind, artifact.format) for artifact in view.artifacts}
    assert {("captions", "srt"), ("captions", "vtt"), ("transcript", "txt")} <= kinds
    assert not {"video", "audio"} & {kind for kind, _ in kinds}
    assert not [path for path in site.ledger.requests if path.startswith("/tube/media")]


@pytest.mark.parametrize("scene", ["ferry", "autoonly"])
async def test_every_transcript_format_holds_the_same_words(busy_service: Service, scene: str) -> None:
    view = await busy_service.get(f"/tube/{scene}", **SUBS)
    source = "manual" if scene == "ferry" else "automatic"
    texts = []
    for form, kind in (("srt", "captions"), ("vtt", "captions"), ("txt", "transcript")):
        file = await busy_service.file(view, ArtifactKind(kind), form)
        texts.append(_words(file.read_text()))
        assert {a.source for a in view.artifacts if a.format == form} == {source}
    spoken = _words(" ".join(SENTENCES["en"]))
    assert [text[-len(spoken) :] for text in texts] == [spoken] * 3


async def test_no_captions_is_the_answer_when_captions_were_the_request(busy_service: Service) -> None:
    asked = await busy_service.ask("/tube/nocaptions", **SUBS)
    view = await busy_service.ended(asked)
    assert view.error is not None
    assert view.error.code == Code.NO_CAPTIONS
    assert (await busy_service.told(asked))["error"] == f"{NONE} {ELSEWHERE}"
    assert (await busy_service.job(asked.job_id)).failures == 1


async def test_markdown_leads_to_the_page_that_plays_it(busy_service: Service) -> None:
    formats = (CaptionFormat.VTT, CaptionFormat.MD, CaptionFormat.JSON)
    view = await busy_service.get("/tube/manualonly-3", **SUBS, caption_formats=formats)
    assert view.state is JobState.DONE, view.error
    assert [(a.kind, a.format) for a in view.artifacts if a.language] == [
        ("captions", "vtt"), ("transcript", "md"), ("transcript", "json"),
    ]  # fmt: skip
    text = (await busy_service.file(view, ArtifactKind.TRANSCRIPT, "md")).read_text()
    assert "\n\n[0:00](http://localhost:8080/w/" in text
    assert re.search(r"\?language=en#t=0(\.\d+)?\) Welcome", text), text
    token = text.partition("/w/")[2].partition("?")[0]
    assert busy_service.parts.links.read_watch(token).job_id == view.job_id


async def test_captions_that_are_hidden_from_programs_are_not_called_none(busy_service: Service) -> None:
    view = await busy_service.get("/tube/nocaptions-6?captions=hidden", **SUBS)
    assert view.error is not None and view.error.code == Code.NO_CAPTIONS
    assert view.error.message.startswith("The site has captions, but hides them")


@pytest.mark.parametrize("link", ["/tube/nocaptions", "/tube/ferry?captions=429", "/tube/ferry?captions=503"])
async def test_a_video_whose_captions_cannot_be_had_arrives_without_them(
    busy_service: Service, link: str
) -> None:
    view = await busy_service.get(link, languages=("en",), quality="480p")
    assert view.state is JobState.DONE, view.error
    assert {artifact.kind for artifact in view.artifacts} == {"video", "thumbnail", "info"}


async def test_a_clip_brings_its_own_captions_counted_from_its_start(busy_service: Service) -> None:
    whole = await busy_service.get("/watch/sample", **SUBS)
    clip = await busy_service.get("/watch/sample", **SUBS, clip=Clip(start=4, end=9))
    before, after = [await _starts(busy_service, view) for view in (whole, clip)]
    assert 0 < len(after) < len(before)
    assert all(0 <= start < 5 for start in after)
    assert {round(start + 4, 2) for start in after if start > 0} <= {round(start, 2) for start in before}


async def test_a_file_is_called_by_what_it_is_and_not_by_its_links_ending(
    service: Service, site: MediaSite
) -> None:
    film = site.root / "media" / "film.m4v"
    film.write_bytes((site.root / "media" / "sample.mp4").read_bytes())
    try:
        view = await service.get("/media/film.m4v")
    finally:
        film.unlink()
    assert (view.artifacts[0].format, view.artifacts[0].file_name) == ("mp4", "film.mp4")
    assert view.duration_seconds == pytest.approx(12, abs=0.5)  # nobody said so but the file


async def test_sound_alone_is_called_sound(service: Service) -> None:
    view = await service.get("/media/sample.m4a")
    assert (view.artifacts[0].kind, view.artifacts[0].format) == ("audio", "m4a")


@pytest.mark.parametrize("stated", [3, 30])
async def test_a_whole_file_is_good_whatever_length_its_page_states(service: Service, stated: int) -> None:
    view = await service.get(f"/watch/sample?duration={stated}")
    assert view.state is JobState.DONE, view.error
    assert view.artifacts[0].duration_seconds == pytest.approx(12, abs=0.5)


HOSTILE = [
    "a/b\\c",
    "../../../etc/passwd",
    "..",
    "line\nbreak\r\nand\ttab",
    "quote \" and ' and `",
    "\N{BANANA}" * 300,
    "nul\0byte",
    "over\u202egpj.exe",
    "$(reboot); --exec rm",
    "CON",
    "%2e%2e%2f",
    "x" * 5000,
]


@pytest.mark.slow
async def test_hostile_titles_end_as_safe_names(service: Service, tmp_path: Path) -> None:
    asked = [await service.ask(f"/tube/ferry-{n}?title={quote(title)}") for n, title in enumerate(HOSTILE)
             if len(quote(title)) < 1900]  # fmt: skip
    views = [await service.ended(one) for one in asked]
    for view in views:
        assert view.state is JobState.DONE, (view.title, view.error)
        for artifact in view.artifacts:
            _assert_safe(artifact.file_name)
    stored = [path for path in service.data_dir.rglob("*") if path.is_file()]
    assert all(re.fullmatch(r"[\w.:-]+", path.name) for path in stored), stored
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


async def test_hostile_caption_languages_do_no_harm(service: Service, tmp_path: Path) -> None:
    """A page names its languages as it likes; yt-dlp passes them on."""
    languages = quote("../../../x,en,a/b", safe="")
    view = await service.get(f"/embed/sample?captions={languages}", languages=("all",))
    assert view.state is JobState.DONE, view.error
    for artifact in view.artifacts:
        _assert_safe(artifact.file_name)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.slow
async def test_nothing_is_left_outside_the_data_folder(tmp_path: Path, site: MediaSite) -> None:
    home = Home(tmp_path, site)
    with home.running("-m", "linkferry", "get", site.url("/watch/sample?title=../../x"), "--json") as run:
        assert run.wait(60) == 0, home.log_text()
    with home.running("-m", "tests.journeys.killable") as service:
        while not (home.data / "worker.lock").exists():
            pass
        stop(service)
    outside = [path for path in tmp_path.rglob("*") if home.data not in (path, *path.parents)]
    assert {path.name for path in outside} <= {"cwd", "tmp", "log.txt"}


def _assert_safe(name: str) -> None:
    assert name == Path(name).name
    assert not name.startswith((".", "-"))
    assert len(name.encode()) <= 255
    assert not [c for c in name if unicodedata.category(c) in ("Cc", "Cf", "Cs")]
    assert not set(name) & set('/\\:*?"<>|')


def _words(text: str) -> list[str]:
    """Spoken words only: no times, numbers, tags or chapters."""
    headings = {"WEBVTT", *(title for title, _, _ in CHAPTERS)}
    lines = [line for line in text.splitlines() if "-->" not in line and line.strip("= ") not in headings]
    return re.findall(r"[a-z']+", " ".join(re.sub(r"<[^>]*>", "", line) for line in lines).lower())


async def _starts(service: Service, view: JobView) -> list[float]:
    text = (await service.file(view, ArtifactKind.CAPTIONS, "srt")).read_text()
    found = re.findall(r"(\d+):(\d+):(\d+),(\d+) -->", text)
    return [int(h) * 3600 + int(m) * 60 + int(s) + int(ms) / 1000 for h, m, s, ms in found]
