"""Broken, wrong and hostile files do not pass."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from shared.errors import Code, JobError
from shared.options import Clip, MediaFormat, Options
from tests.worker.media.conftest import DURATION, MakeSample, media
from worker.media import Kind, check, convert, inspect, plan, probe, process, verify
from worker.media.convert import arguments
from worker.media.process import run

H264, AAC = "video h264", "audio aac"
MP4 = Options(format=MediaFormat.MP4)


async def fault(path: Path, format: str, expected: float | None = None) -> str:
    """The detail of the BROKEN_FILE that verifying must raise."""
    with pytest.raises(JobError) as caught:
        await verify(path, Options(format=MediaFormat(format)), expected)
    assert caught.value.code is Code.BROKEN_FILE
    return caught.value.detail


@pytest.mark.parametrize(
    ("name", "format"),
    [("h264-aac.mp4", "mp4"), ("vp9-opus.webm", "webm"), ("h264-aac.mkv", "mkv"), ("tone.wav", "wav")],
)
@pytest.mark.parametrize("share", [0.5, 0.99])
async def test_a_file_that_was_cut_off(
    sample: MakeSample, tmp_path: Path, name: str, format: str, share: float
) -> None:
    content = sample(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * share)])
    assert "ends before its declared size" in await fault(path, format)
    with pytest.raises(JobError, match="declared size"):
        await convert([path], tmp_path, Options(format=MediaFormat.MKV), lambda _: None)


async def test_an_mp3_that_was_cut_off(sample: MakeSample, tmp_path: Path) -> None:
    content = sample("tone.mp3").read_bytes()
    path = tmp_path / "cut.mp3"
    path.write_bytes(content[: len(content) // 2])
    assert "its end cannot be decoded" in await fault(path, "mp3")


@pytest.mark.parametrize(("name", "format"), [("h264-aac.mp4", "mp4"), ("aac.m4a", "m4a")])
@pytest.mark.parametrize(("first", "last"), [(0.5, 1.0), (0.0, 0.5)])
async def test_a_file_with_a_hole(
    sample: MakeSample, tmp_path: Path, name: str, format: str, first: float, last: float
) -> None:
    content = sample(name).read_bytes()
    data = content.index(b"mdat") + 4
    start, end = (data + int((len(content) - data) * share) for share in (first, last))
    path = tmp_path / name
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])
    assert "cannot be decoded" in await fault(path, format)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<!doctype html><html><body>Please log in</body></html>" * 50,
        bytes(range(256)) * 400,
        b"\0" * 5000,
    ],
    ids=["empty", "html", "garbage", "zeros"],
)
async def test_what_is_no_media(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    await fault(path, "mp4")


@pytest.mark.parametrize("name", ["h264-aac.mp4", "vp9-opus.webm", "h264-aac.mkv", "tone.wav", "aac.m4a"])
@pytest.mark.parametrize("stated", [3.0, 60.0])
async def test_a_whole_file_is_right_when_the_site_states_another_duration(
    sample: MakeSample, name: str, stated: float
) -> None:
    options = Options(format=MediaFormat(name.rpartition(".")[2]))
    assert (await verify(sample(name), options, stated)).duration == pytest.approx(DURATION, abs=0.2)


async def test_a_short_file_that_cannot_prove_itself_whole_is_measured_by_what_the_site_states(
    sample: MakeSample,
) -> None:
    assert "it lasts 6.0 s instead of 60.0 s" in await fault(sample("fragmented.mp4"), "mp4", 60.0)
    await verify(sample("fragmented.mp4"), MP4, 3.0)


async def test_what_was_made_of_a_short_file_is_measured_by_that_file(sample: MakeSample) -> None:
    """The result of a conversion is always whole: only what it was made of can prove anything."""
    result, proven, unproven = sample("h264-aac.mp4"), sample("h264-aac.mkv"), sample("really-ts.mp4")
    await verify(result, MP4, 60.0, sources=[proven])
    with pytest.raises(JobError, match="instead of 60"):
        await verify(result, MP4, 60.0, sources=[unproven])
    with pytest.raises(JobError, match="instead of"):
        await verify(sample("hevc-aac.mp4"), MP4, 6.0, sources=[proven])


async def test_what_a_conversion_lost_is_noticed(sample: MakeSample) -> None:
    with pytest.raises(JobError, match="it lost its audio"):
        await verify(sample("silent.mp4"), MP4, None, sources=[sample("h264-aac.mkv")])
    await verify(sample("silent.mp4"), MP4, None, sources=[sample("silent.mp4")])


async def test_a_clip_whose_pictures_begin_late_although_those_of_its_source_do_not(
    sample: MakeSample,
) -> None:
    options = Options(format=MediaFormat.MKV, clip=Clip(start=0, end=6))
    with pytest.raises(JobError, match=r"its pictures are 3\.0 s late") as caught:
        await verify(sample("pictures-from-3.mkv"), options, None, sources=[sample("h264-aac.mp4")])
    assert caught.value.code is Code.BROKEN_FILE


async def test_a_clip_of_everything_may_begin_at_any_timestamp(sample: MakeSample, tmp_path: Path) -> None:
    source, options = sample("from-100.mkv"), Options(format=MediaFormat.MKV, clip=Clip(start=0, end=1000))
    assert await convert([source], tmp_path, options, lambda _: None) == source
    assert (await verify(source, options, DURATION, sources=[source])).start_time == pytest.approx(100, abs=1)


async def test_a_broken_clip_of_many_pictures_keeps_its_reason(
    sample: MakeSample, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_MAX_OUTPUT", 100_000)  # a minute has 40,000 bytes to say, an hour too much
    options = Options(format=MediaFormat.MP4, clip=Clip(start=0, end=1200))
    with pytest.raises(JobError, match="instead of 1200") as caught:
        await verify(sample("h264-aac.mp4"), options, 1206, sources=[sample("long.mp4")])
    assert caught.value.code is Code.BROKEN_FILE


async def test_another_container_than_asked_for(sample: MakeSample) -> None:
    assert "it is mpegts, not mp4" in await fault(sample("really-ts.mp4"), "mp4")


@pytest.mark.parametrize(
    ("actual", "expected", "fine"),
    [(58.1, 60, True), (57.9, 60, False), (90, 60, True), (582.1, 600, True), (581, 600, False)],
)
def test_a_file_may_be_shorter_by_two_seconds_or_three_percent_and_longer_by_any(
    actual: float, expected: float, fine: bool
) -> None:
    info = media("mp4", H264, AAC, duration=actual, decoded=(0.0, 0.0, 0.0, actual))
    if fine:
        check(info, MP4, expected)
    else:
        with pytest.raises(JobError, match="it lasts"):
            check(info, MP4, expected)


def test_a_clip_is_measured_against_the_part_that_exists() -> None:
    options = Options(clip=Clip(start=50, end=100))
    info = media("mp4", H264, AAC, duration=10.0, decoded=(0.0, 9.0))
    check(info, options, 60)
    check(info, options, None)  # the source may end anywhere
    with pytest.raises(JobError, match=r"it lasts 10\.0 s instead of 50\.0 s"):
        check(info, options, 600)
    with pytest.raises(JobError, match=r"it lasts 10\.0 s instead of 5\.0 s"):
        check(info, Options(clip=Clip(start=50, end=55)), None)


def test_streams_of_the_source_must_be_there() -> None:
    silent = media("mp4", H264)
    check(silent, MP4, 60, (Kind.VIDEO,))
    with pytest.raises(JobError, match="it lost its audio"):
        check(silent, MP4, 60, (Kind.VIDEO, Kind.AUDIO))
    with pytest.raises(JobError, match="pictures where only sound"):
        check(media("mp4", H264, AAC), Options(format=MediaFormat.M4A), 60)
    check(media("mp4", AAC, "picture mjpeg", decoded=(0.0, 59.9)), Options(format=MediaFormat.M4A), 60)


def test_junk_behind_an_mp4_is_harmless(sample: MakeSample, tmp_path: Path) -> None:
    path = tmp_path / "junk.mp4"
    path.write_bytes(sample("h264-aac.mp4").read_bytes() + b"\xff\xff\xff\x00junkjunk")
    assert asyncio.run(inspect(path)).whole


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("sleep 60", Code.STALLED),
        ("echo nonsense", Code.BROKEN_FILE),
        ("""echo '{"streams": [{}]}'""", Code.BROKEN_FILE),
        ("""echo '{"format": {"duration": "nan"}}'""", Code.BROKEN_FILE),
    ],
)
async def test_an_ffprobe_that_hangs_or_says_nonsense_ends_the_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, code: Code
) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(b"video")
    monkeypatch.setattr(process, "_command", lambda _tool: ("sh", "-c", script))
    monkeypatch.setattr(probe, "PATIENCE", 0.2 if code is Code.STALLED else 60.0)
    with pytest.raises(JobError) as caught:
        await inspect(path)
    assert caught.value.code is code


class Listener:
    """Counts who connects to it."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0

    def connected(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    counter = Listener()
    server = await asyncio.start_server(counter.connected, "127.0.0.1", 0)
    counter.port = server.sockets[0].getsockname()[1]
    async with server:
        yield counter


HOSTILE = {
    "playlist": "#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXTINF:6,\n{target}\n#EXT-X-ENDLIST\n",
    "playlist with a key": '#EXTM3U\n#EXT-X-TARGETDURATION:6\n#EXT-X-KEY:METHOD=AES-128,URI="{target}"\n'
    "#EXTINF:6,\n{target}\n#EXT-X-ENDLIST\n",
    "concat script": "ffconcat version 1.0\nfile '{target}'\n",
    "manifest": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="1"><BaseURL>{target}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "session description": "v=0\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    "reference": "RTSPtextrtsp://127.0.0.1:{port}/",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_a_file_that_names_others_is_refused(
    listener: Listener, sample: MakeSample, tmp_path: Path, text: str
) -> None:
    (tmp_path / "neighbour.ts").write_bytes(sample("really-ts.mp4").read_bytes())
    for target in (f"http://127.0.0.1:{listener.port}/x.ts", "file:///etc/passwd", "neighbour.ts"):
        path = tmp_path / "video.mp4"
        path.write_text(text.format(target=target, port=listener.port))
        with pytest.raises(JobError) as caught:
            await inspect(path)
        assert caught.value.code is Code.BROKEN_FILE
    assert listener.connections == 0


@pytest.mark.parametrize("text", list(HOSTILE.values())[:3], ids=list(HOSTILE)[:3])
async def test_ffmpeg_refuses_it_even_when_nobody_looked_before(
    listener: Listener, sample: MakeSample, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "video.mp4"
    path.write_text(text.format(target=f"http://127.0.0.1:{listener.port}/x.ts", port=listener.port))
    trusted = replace(await inspect(sample("late.mp4")), path=path)
    options = arguments([trusted], plan([trusted], MP4), tmp_path / "out.mp4")
    with pytest.raises(JobError):
        await run("ffmpeg", options, lambda _: None)
    assert listener.connections == 0


@pytest.mark.parametrize(
    "name", ["-i.mp4", "http:x.mp4", "concat:a|b.mp4", "100%d.mp4", "two words;'quoted'.mp4", "día 🎬.mp4"]
)
async def test_a_name_is_only_a_name(sample: MakeSample, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(sample("late.mp4").read_bytes())
    result = await convert([path], tmp_path, MP4, lambda _: None)
    await verify(result, MP4, DURATION)
