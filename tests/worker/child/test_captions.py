"""Which caption files a child fetches from the media site."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yt_dlp

from shared.errors import Code, JobError
from shared.options import MediaFormat, Options
from tests.site.server import MediaSite
from worker.child.protocol import CaptionSource, Limits
from worker.child.server import ChildServer
from worker.child.ydl import HIDDEN

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeLimits = Callable[..., Limits]


async def test_captions_prefer_people_to_machines(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/tube/video"))
        files = await child.captions(["en", "pt", "fr", "xx"])
    found = [(file.language, file.source, file.format) for file in files]
    assert found == [
        ("en", CaptionSource.MANUAL, "vtt"),
        ("pt-BR", CaptionSource.MANUAL, "vtt"),
        ("fr", CaptionSource.TRANSLATED, "json3"),
    ]
    assert all(Path(file.path).stat().st_size > 0 for file in files)


async def test_automatic_captions_come_as_json3(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/tube/autoonly"))
        (file,) = await child.captions(["orig"])
    assert (file.language, file.source, file.format) == ("en", CaptionSource.AUTOMATIC, "json3")
    assert json.loads(Path(file.path).read_text())["events"]


async def test_caption_renditions_of_hls_are_put_together(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/watch/hls"))
        files = await child.captions(["all"])
    assert {file.language for file in files} == {"en", "es"}
    assert all("-->" in Path(file.path).read_text() for file in files)


async def test_no_track_goes_on_where_another_one_was_broken_off(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    stale = "WEBVTT\n\n00:00.000 --> 00:01.000\nof another track\n\n"
    note = {"downloader": {"current_fragment": {"index": 1}, "part_size": len(stale)}}
    for place in range(2):
        (tmp_path / f"captions.{place}.vtt.part").write_text(stale)
        (tmp_path / f"captions.{place}.vtt.ytdl").write_text(json.dumps(note))
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/watch/hls"))
        files = await child.captions(["all"])
    assert len(files) == 2
    assert not any("another track" in Path(file.path).read_text() for file in files)


async def test_one_throttled_track_does_not_spoil_the_others(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/tube/watch?v=x&translated=429"))
        assert [file.language for file in await child.captions(["fr", "en"])] == ["en"]
        with pytest.raises(JobError) as failure:
            await child.captions(["fr"])
        assert failure.value.code is Code.THROTTLED
        assert await child.captions(["xx"]) == ()
        (file,) = await child.download(Options(format=MediaFormat.M4A), lambda _: None)  # the child goes on
    assert file.kind == "audio"


async def test_captions_that_the_site_hides_from_programs_are_known_of(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        found = await child.probe(site.url("/tube/nocaptions?captions=hidden"))
        assert found.hides_captions and found.captions == ()
    async with server.open(tmp_path, limits()) as child:
        assert not (await child.probe(site.url("/tube/nocaptions"))).hides_captions


async def test_youtubes_extractor_still_says_so_in_these_words() -> None:
    (source,) = (Path(yt_dlp.__file__).parent / "extractor" / "youtube").glob("_video.py")
    assert HIDDEN in source.read_text(encoding="utf-8")
