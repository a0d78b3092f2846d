"""The media site against the real yt-dlp and ffprobe: what other tests rely on has to be true."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.site.server import MediaSite
from tests.site.speech import DURATION, SENTENCES

PLUGIN = Path(__file__).parent / "plugin"


def ytdlp(site: MediaSite, *arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the yt-dlp command with the test extractor in reach."""
    environment = {**os.environ, "PYTHONPATH": str(PLUGIN), "FERRYTEST_BASE": site.base}
    command = [sys.executable, "-m", "yt_dlp", "--ignore-config", "--no-cache-dir", "--no-update", "-q"]
    return subprocess.run(
        [*command, *arguments], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


def describe(site: MediaSite, *links: str) -> list[dict[str, Any]]:
    """What yt-dlp finds out about the links, all in one process."""
    done = ytdlp(site, "-J", "--flat-playlist", "--write-auto-subs", *links)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def probe(target: Path | str) -> dict[str, Any]:
    """Duration in seconds, and the codec and height of each stream."""
    fields = ["-show_entries", "format=duration:stream=codec_name,height", "-of", "json"]
    done = subprocess.run(["ffprobe", "-v", "error", *fields, str(target)], capture_output=True, check=True)
    found = json.loads(done.stdout)
    streams = {stream["codec_name"]: stream.get("height") for stream in found["streams"]}
    return {"duration": float(found["format"]["duration"]), "streams": streams}


def plain_text(vtt: str) -> list[str]:
    """The lines of a VTT file that are neither headers nor times."""
    return [
        line for line in vtt.splitlines() if line and not re.match(r"WEBVTT|X-|Kind:|Language:|\d\d:", line)
    ]


@pytest.fixture(autouse=True)
def _fresh_counters(site: MediaSite) -> None:
    site.reset()


def test_files_answer_head_ranges_and_conditions(site: MediaSite) -> None:
    url = site.url("/media/sample.mp4")
    size = int(httpx.head(url).headers["content-length"])
    part = httpx.get(url, headers={"range": "bytes=10-19"})
    assert (part.status_code, len(part.content)) == (206, 10)
    assert part.headers["content-range"] == f"bytes 10-19/{size}"
    assert httpx.get(url, headers={"range": f"bytes={size}-"}).status_code == 416
    assert httpx.get(site.url("/media/nothing.mp4")).status_code == 404
    assert site.hits("/media/sample.mp4") == 3


def test_faststart_and_its_opposite(site: MediaSite) -> None:
    early = (site.root / "media/sample.mp4").read_bytes()
    late = (site.root / "media/slowstart.mp4").read_bytes()
    assert early.index(b"moov") < early.index(b"mdat")
    assert late.index(b"moov") > late.index(b"mdat")


@pytest.mark.parametrize(("name", "size"), [("2MB", 2_000_000), ("30MB.mp4", 30_000_000), ("10GB", 10**10)])
def test_big_files_are_valid_and_sparse(site: MediaSite, name: str, size: int) -> None:
    url = site.url(f"/big/{name}")
    assert int(httpx.head(url).headers["content-length"]) == pytest.approx(size, rel=0.01)
    assert probe(url) == {"duration": pytest.approx(120, abs=0.5), "streams": {"h264": 360, "aac": None}}
    on_disk = sum(file.stat().st_blocks * 512 for file in (site.root / "big").iterdir())
    assert on_disk < 30_000_000


def test_a_status_can_stop_after_some_requests(site: MediaSite) -> None:
    url = site.url("/fault/status/503/media/sample.m4a?times=2&token=a")
    assert [httpx.get(url).status_code for _ in range(3)] == [503, 503, 200]
    limited = httpx.get(site.url("/fault/status/429/media/sample.m4a?retry_after=7"))
    assert (limited.status_code, limited.headers["retry-after"]) == (429, "7")


def test_wrong_lengths(site: MediaSite) -> None:
    short = httpx.get(site.url("/fault/length/media/sample.m4a?claim=1000"))
    assert len(short.content) == 1000
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(site.url("/fault/length/media/sample.m4a?claim=9000000"))


@pytest.mark.parametrize("path", ["/fault/stall/media/sample.mp4?after=1000", "/fault/hang/x.mp4"])
def test_silence(site: MediaSite, path: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.get(site.url(path), timeout=0.3)


def test_endless_and_slow_streams_go_on(site: MediaSite) -> None:
    received = 0
    with httpx.stream("GET", site.url("/endless.mp4")) as answer:
        assert "content-length" not in answer.headers
        for block in answer.iter_bytes():
            received += len(block)
            if received > 20_000_000:
                break
    with httpx.stream("GET", site.url("/fault/trickle/media/sample.mp4?rate=50000")) as answer:
        assert len(next(answer.iter_raw())) % 5000 == 0, "a tenth of a second each"


def test_things_that_are_not_the_video(site: MediaSite) -> None:
    assert "html" in httpx.get(site.url("/fault/html/x.mp4")).headers["content-type"]
    assert httpx.get(site.url("/fault/html/x.mp4?type=video/mp4")).headers["content-type"] == "video/mp4"
    assert httpx.get(site.url("/fault/empty/x.mp4")).content == b""
    assert httpx.get(site.url("/hls60/7.ts?missing=7")).status_code == 404
    redirect = httpx.get(site.url("/redirect?to=http://192.0.2.1/x&code=307"))
    assert (redirect.status_code, redirect.headers["location"]) == (307, "http://192.0.2.1/x")


def test_playlists_pass_their_query_on(site: MediaSite) -> None:
    segments = httpx.get(site.url("/hls60/index.m3u8?latency=0.01&missing=7")).text
    assert len(re.findall(r"(?m)^\d+\.ts\?latency=0\.01&missing=7$", segments)) == 60
    assert 'URI="audio-es.m3u8?latency=0.01"' in httpx.get(site.url("/hls/master.m3u8?latency=0.01")).text


def test_automatic_captions_roll(site: MediaSite) -> None:
    track = site.url("/tube/api/timedtext?v=x&lang=en&kind=asr")
    rolling = plain_text(httpx.get(f"{track}&fmt=vtt").text)
    assert rolling.count("welcome to the harbour") == 2
    assert any(re.fullmatch(r"welcome<[\d:.]+><c> to</c>.*", line) for line in rolling)
    events = httpx.get(f"{track}&fmt=json3").json()["events"]
    heard = "".join(segment["utf8"] for event in events for segment in event.get("segs", []))
    spoken = " ".join(SENTENCES["en"]).replace(".", "").lower()
    assert heard.replace("\n", " ") == spoken
    assert httpx.get(f"{track}&fmt=vtt&tlang=fr&translated=429").status_code == 429


@pytest.mark.slow
def test_the_sample_page_gives_everything(site: MediaSite, tmp_path: Path) -> None:
    link = site.url("/watch/sample")
    done = ytdlp(
        site,
        "-o",
        "clip.%(ext)s",
        "--write-subs",
        "--write-thumbnail",
        "--write-info-json",
        link,
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    info = json.loads((tmp_path / "clip.info.json").read_text())
    assert (info["title"], info["upload_date"], info["duration"]) == (
        "The ferry at noon",
        "20240517",
        DURATION,
    )
    assert [chapter["title"] for chapter in info["chapters"]] == ["Arrival", "Crossing", "Farewell"]
    assert plain_text((tmp_path / "clip.en.vtt").read_text()) == list(SENTENCES["en"])
    assert (tmp_path / "clip.jpg").stat().st_size > 1000
    assert probe(tmp_path / "clip.mp4") == {
        "duration": pytest.approx(DURATION, abs=0.1),
        "streams": {"h264": 360, "aac": None},
    }


@pytest.mark.slow
def test_hls_and_dash_offer_heights_languages_and_captions(site: MediaSite) -> None:
    hls, dash = describe(site, site.url("/watch/hls"), site.url("/dash/manifest.mpd"))
    assert [form["height"] for form in hls["formats"] if form.get("height")] == [180, 360, 720]
    assert {form["language"] for form in hls["formats"] if form["vcodec"] == "none"} == {"en", "es"}
    assert set(hls["subtitles"]) == {"en", "es"}
    assert [form.get("height") for form in dash["formats"]] == [None, 180, 720]


@pytest.mark.slow
def test_hls_download_with_the_other_language(site: MediaSite, tmp_path: Path) -> None:
    done = ytdlp(
        site,
        *("-f", "bv[height=180]+ba[language=es]", "--write-subs", "--sub-langs", "es", "-o", "clip.%(ext)s"),
        site.url("/hls/master.m3u8"),
        folder=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert probe(tmp_path / "clip.mp4")["streams"] == {"h264": 180, "aac": None}
    assert plain_text((tmp_path / "clip.es.vtt").read_text()) == list(SENTENCES["es"])


@pytest.mark.slow
def test_one_cut_is_resumed(site: MediaSite, tmp_path: Path) -> None:
    # the first request is yt-dlp's look at the link; the second one, the download, is cut too
    link = site.url("/fault/cut/media/sample.mp4?at=500000&token=resume&times=2")
    done = ytdlp(site, "-o", "clip.mp4", link, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "clip.mp4").read_bytes() == (site.root / "media/sample.mp4").read_bytes()
    assert site.hits("/fault/cut/media/sample.mp4") == 3


@pytest.mark.slow
def test_the_tube_is_shaped_like_the_real_one(site: MediaSite) -> None:
    video, other, auto, live, entries = describe(
        site,
        *("ferrytest:watch?v=x&t=3", site.url("/tube/x"), "ferrytest:autoonly", "ferrytest:live"),
        "ferrytest:playlist-4",
    )
    assert (
        (video["id"], video["extractor_key"]) == (other["id"], other["extractor_key"]) == ("x", "FerryTest")
    )
    pictures = [form for form in video["formats"] if form["acodec"] == "none" and form["ext"] != "mhtml"]
    assert {form["height"] for form in pictures} == {144, 240, 360, 480, 720, 1080, 1440, 2160}
    assert {form["vcodec"][:4] for form in pictures} == {"avc1", "vp9", "av01"}
    assert [form["format_id"] for form in video["requested_formats"]] == ["401", "251"]
    assert {"en", "en-US", "pt-BR", "zh-Hans", "de", "ar", "th", "ja"} == set(video["subtitles"])
    assert {"en-orig", "en", "fr", "de-en"} <= set(video["automatic_captions"])
    assert len(video["chapters"]) == 3
    assert (auto["subtitles"], live["live_status"], entries["playlist_count"]) == ({}, "is_live", 4)


@pytest.mark.slow
def test_the_tube_refuses_in_the_words_of_the_real_one(site: MediaSite) -> None:
    words = {
        "age": "Sign in to confirm your age",
        "bot": "Sign in to confirm you’re not a bot",
        "private": "Private video. Sign in if you've been granted access",
        "geo": "not made this video available in your country",
        "drm": "DRM protected",
        "removed": "Video unavailable. This video has been removed",
        "upcoming": "This live event will begin in",
        "throttled": "HTTP Error 429",
        "gone": "HTTP Error 404",
        "flaky": "HTTP Error 503",
    }
    done = ytdlp(site, "-s", "--ignore-errors", *(f"ferrytest:{scene}" for scene in words))
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert len(errors) == len(words)
    for (scene, text), error in zip(words.items(), errors, strict=True):
        assert error.startswith(f"ERROR: [ferrytest] {scene}: ")
        assert text in error


@pytest.mark.slow
def test_tube_downloads_merge_into_the_height_asked_for(site: MediaSite, tmp_path: Path) -> None:
    choice = ["-f", "bv[height=1080][vcodec^=avc1]+ba[ext=m4a]", "-o", "clip.%(ext)s"]
    captions = ["--write-auto-subs", "--write-subs", "--sub-langs", "th,de-en", "--sub-format", "srt"]
    done = ytdlp(site, *choice, *captions, "ferrytest:x", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert probe(tmp_path / "clip.mp4") == {
        "duration": pytest.approx(DURATION, abs=0.1),
        "streams": {"h264": 1080, "aac": None},
    }
    assert SENTENCES["th"][0] in (tmp_path / "clip.th.srt").read_text()
    assert SENTENCES["de"][0] in (tmp_path / "clip.de-en.srt").read_text()
