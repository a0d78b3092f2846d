"""Real files through real ffmpeg: what comes out, how progress runs, what a cancel leaves."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from shared.errors import Code, JobError
from shared.options import Clip, MediaFormat, Options
from tests.worker.media.conftest import DURATION, RATE, MakeSample, codecs, shown_times
from worker.media import ConversionLimits, Kind, MediaInfo, convert, inspect, verify
from worker.media import process as tools
from worker.media.convert import ConversionProgress


async def made(inputs: list[Path], folder: Path, format: str, clip: Clip | None = None) -> MediaInfo:
    """Convert and verify."""
    options = Options(format=MediaFormat(format), clip=clip)
    result = await convert(inputs, folder, options, lambda _: None)
    return await verify(result, options, None, sources=inputs)


@pytest.mark.parametrize(
    ("name", "format", "expected"),
    [
        ("late.mp4", "mp4", ["h264", "aac"]),
        ("h264-aac.mkv", "mp4", ["h264", "aac"]),
        ("h264-aac.mov", "mp4", ["h264", "aac"]),
        ("h264-aac.flv", "mp4", ["h264", "aac"]),
        ("really-ts.mp4", "mp4", ["h264", "aac"]),
        ("really-ts.mp4", "mkv", ["h264", "aac"]),
        ("fragmented.mp4", "mp4", ["h264", "aac"]),
        ("hevc-aac.mp4", "mp4", ["hevc", "aac"]),
        ("av1-opus.mkv", "webm", ["av1", "opus"]),
        ("vp9-opus.webm", "mp4", ["vp9", "aac"]),
        ("h264-opus.mp4", "mp4", ["h264", "aac"]),
        ("vp8-vorbis.webm", "mp4", ["h264", "aac"]),
        ("mpeg4-mp3.avi", "mp4", ["h264", "mp3"]),
        ("mpeg4-mp3.avi", "mkv", ["mpeg4", "mp3"]),
        ("odd.mkv", "mp4", ["h264", "aac"]),
        ("h264-aac.mp4", "webm", ["vp9", "opus"]),
        ("silent.mp4", "mkv", ["h264"]),
        ("h264-aac.mp4", "m4a", ["aac"]),
        ("really-ts.mp4", "m4a", ["aac"]),
        ("mpeg4-mp3.avi", "mp3", ["mp3"]),
        ("vp9-opus.webm", "mp3", ["mp3"]),
        ("tone.flac", "m4a", ["aac"]),
        ("tone.mp3", "wav", ["pcm_s16le"]),
    ],
)
async def test_becomes_what_was_asked_for(
    sample: MakeSample, tmp_path: Path, name: str, format: str, expected: list[str]
) -> None:
    source = await inspect(sample(name))
    info = await made([sample(name)], tmp_path, format)
    assert info.path == tmp_path / f"result.{format}"
    assert codecs(info) == expected
    assert info.faststart == (format in ("mp4", "m4a"))
    assert info.duration == pytest.approx(source.duration, abs=0.2)
    assert list(tmp_path.iterdir()) == [info.path]


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("h264-aac.mp4", "mp4"),
        ("vp9-opus.webm", "webm"),
        ("h264-aac.mkv", "mkv"),
        ("aac.m4a", "m4a"),
        ("tone.mp3", "mp3"),
        ("tone.mp3", "mp4"),
        ("tone.wav", "wav"),
    ],
)
async def test_what_is_right_already_is_returned_untouched(
    sample: MakeSample, tmp_path: Path, name: str, format: str
) -> None:
    reported: list[float] = []
    options = Options(format=MediaFormat(format))
    assert await convert([sample(name)], tmp_path, options, reported.append) == sample(name)
    await verify(sample(name), options, DURATION)
    assert reported == [1.0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("video", "audio", "format", "expected"),
    [
        ("silent.mp4", "aac.m4a", "mp4", ["h264", "aac"]),
        ("silent.mp4", "opus.webm", "mp4", ["h264", "aac"]),
        ("silent.webm", "opus.webm", "webm", ["vp9", "opus"]),
        ("silent.mp4", "opus.webm", "mkv", ["h264", "opus"]),
    ],
)
async def test_video_and_audio_files_are_merged(
    sample: MakeSample, tmp_path: Path, video: str, audio: str, format: str, expected: list[str]
) -> None:
    info = await made([sample(video), sample(audio)], tmp_path, format)
    assert codecs(info) == expected


async def test_one_broken_file_of_two_is_enough(sample: MakeSample, tmp_path: Path) -> None:
    broken = tmp_path / "audio.m4a"
    broken.write_bytes(b"no sound here")
    with pytest.raises(JobError) as caught:
        await made([sample("silent.mp4"), broken], tmp_path, "mp4")
    assert caught.value.code is Code.BROKEN_FILE


async def test_titles_stay_out_of_audio_files(sample: MakeSample, tmp_path: Path) -> None:
    info = await made([sample("tone.mp3")], tmp_path, "mp3", Clip(start=1, end=3))
    assert b"Secret" in sample("tone.mp3").read_bytes()
    assert b"Secret" not in info.path.read_bytes()


class TestClip:
    """Keyframes lie at whole seconds."""

    @pytest.mark.parametrize(
        ("name", "format"),
        [
            ("h264-aac.mp4", "mp4"),
            ("h264-aac.mp4", "mkv"),
            ("vp9-opus.webm", "webm"),
            ("bframes.mkv", "mkv"),
            ("fragmented.mp4", "mp4"),
            ("really-ts.mp4", "mp4"),
            ("one-keyframe.ts", "mkv"),
        ],
    )
    @pytest.mark.parametrize("start", [2.3, 2.8])  # copied, encoded
    async def test_shows_the_moments_asked_for(
        self, sample: MakeSample, tmp_path: Path, name: str, format: str, start: float
    ) -> None:
        info = await made([sample(name)], tmp_path, format, Clip(start=start, end=4.5))
        times = shown_times(info.path)
        assert start - 0.5 - 1 / RATE <= times[0] <= start + 2 / RATE
        assert times[-1] == pytest.approx(4.5, abs=3 / RATE)
        assert len(info.of(Kind.AUDIO)) == 1

    async def test_copied_into_mp4_hides_what_lies_before_its_start(
        self, sample: MakeSample, tmp_path: Path
    ) -> None:
        info = await made([sample("h264-aac.mp4")], tmp_path, "mp4", Clip(start=2.4, end=4))
        assert shown_times(info.path)[0] == pytest.approx(2.4, abs=1.5 / RATE)
        assert info.duration == pytest.approx(1.6, abs=0.1)

    async def test_of_two_files_keeps_them_together(self, sample: MakeSample, tmp_path: Path) -> None:
        clip = Clip(start=3.2, end=5)
        info = await made([sample("silent.webm"), sample("opus.webm")], tmp_path, "webm", clip)
        assert codecs(info) == ["vp9", "opus"]
        assert info.duration == pytest.approx(1.8, abs=0.5)

    @pytest.mark.parametrize(
        ("name", "format"),
        [
            ("h264-aac.mp4", "m4a"),
            ("vp9-opus.webm", "m4a"),
            ("tone.mp3", "mp3"),
            ("tone.mp3", "mp4"),
            ("h264-aac.mp4", "wav"),
        ],
    )
    async def test_of_sound_is_exact(
        self, sample: MakeSample, tmp_path: Path, name: str, format: str
    ) -> None:
        info = await made([sample(name)], tmp_path, format, Clip(start=1.25, end=3.5))
        assert info.duration == pytest.approx(2.25, abs=0.08)

    async def test_that_ends_after_the_end_is_cut_to_it(self, sample: MakeSample, tmp_path: Path) -> None:
        info = await made([sample("h264-aac.mp4")], tmp_path, "mp4", Clip(start=4, end=600))
        assert info.duration == pytest.approx(2, abs=0.1)

    async def test_far_behind_the_last_keyframe_of_a_stream_without_an_index(
        self, sample: MakeSample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sys.modules[convert.__module__], "_LEAD", 1.0)
        info = await made([sample("one-keyframe.ts")], tmp_path, "mkv", Clip(start=4, end=5))
        assert shown_times(info.path)[0] == pytest.approx(4, abs=2 / RATE)

    async def test_whose_source_has_its_first_pictures_late_is_right(
        self, sample: MakeSample, tmp_path: Path
    ) -> None:
        info = await made([sample("pictures-from-3.mkv")], tmp_path, "mkv", Clip(start=1, end=5))
        assert shown_times(info.path)[0] == pytest.approx(3, abs=2 / RATE)

    @pytest.mark.parametrize("format", ["mp4", "mkv"])
    async def test_from_behind_the_last_picture_is_refused(
        self, sample: MakeSample, tmp_path: Path, format: str
    ) -> None:
        with pytest.raises(JobError) as caught:
            await made([sample("pictures-to-2.mp4")], tmp_path, format, Clip(start=3, end=5))
        assert caught.value.code is Code.CLIP_OUTSIDE

    async def test_that_starts_after_the_end_is_refused(self, sample: MakeSample, tmp_path: Path) -> None:
        with pytest.raises(JobError) as caught:
            await made([sample("h264-aac.mp4")], tmp_path, "mp4", Clip(start=7, end=9))
        assert caught.value.code is Code.CLIP_OUTSIDE


class TestProgress:
    async def test_grows_and_ends_at_one(self, sample: MakeSample, tmp_path: Path) -> None:
        reported: list[float] = []
        await convert([sample("h264-aac.mp4")], tmp_path, Options(format=MediaFormat.WEBM), reported.append)
        assert reported == sorted(set(reported))
        assert reported[0] > 0
        assert reported[-1] == 1.0

    def test_reads_lines_that_arrive_in_pieces_and_skips_what_is_no_number(self) -> None:
        reported: list[float] = []
        progress = ConversionProgress(10.0, reported.append)
        for piece in (b"out_time_us=N/A\nout_ti", b"me_us=2500000\nspeed=1x\n", b"out_time_us=-5000\n"):
            progress.feed(piece)
        progress.feed(b"out_time_us=1000000\nout_time_us=20000000\nprogress=end\n")
        assert reported == [0.25, 0.99]

    def test_of_unknown_length_says_nothing(self) -> None:
        reported: list[float] = []
        ConversionProgress(None, reported.append).feed(b"out_time_us=2500000\n")
        assert reported == []


async def test_a_result_that_grows_too_large_ends_the_conversion(sample: MakeSample, tmp_path: Path) -> None:
    with pytest.raises(JobError) as caught:
        options = Options(format=MediaFormat.WAV)
        await convert([sample("tone.mp3")], tmp_path, options, lambda _: None, ConversionLimits(60, 100_000))
    assert caught.value.code is Code.TOO_LARGE
    assert list(tmp_path.iterdir()) == []


async def test_an_ffmpeg_that_gets_no_further_is_ended(
    sample: MakeSample, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    talker = "while :; do printf 'total_size=100\\nout_time_us=5\\nprogress=continue\\n'; sleep 0.1; done"
    await inspect(sample("tone.mp3"))
    monkeypatch.setattr(tools, "_command", lambda _tool: ("sh", "-c", talker))
    with pytest.raises(JobError) as caught:
        options = Options(format=MediaFormat.WAV)
        await convert([sample("tone.mp3")], tmp_path, options, lambda _: None, ConversionLimits(0.5, 10**9))
    assert caught.value.code is Code.STALLED
    assert processes_in(tmp_path) == []


def processes_in(folder: Path) -> list[int]:
    """The processes that name this folder in their arguments."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if any(str(folder) in argument for argument in process.info["cmdline"] or ()):
            found.append(process.pid)
    return found


async def test_cancel_leaves_no_process_and_no_file(sample: MakeSample, tmp_path: Path) -> None:
    running = asyncio.Event()
    options = Options(format=MediaFormat.WEBM)
    task = asyncio.create_task(convert([sample("long.mp4")], tmp_path, options, lambda _: running.set()))
    async with asyncio.timeout(60):
        await running.wait()
    assert processes_in(tmp_path)
    task.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert processes_in(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_killed_worker_takes_its_ffmpeg_along(sample: MakeSample, tmp_path: Path) -> None:
    program = f"""
import asyncio, pathlib
from shared.options import MediaFormat, Options
from worker.media import convert
asyncio.run(convert([pathlib.Path({str(sample("long.mp4"))!r})], pathlib.Path({str(tmp_path)!r}),
                    Options(format=MediaFormat.WEBM), lambda _: print("running", flush=True)))
"""
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as worker:
        assert worker.stdout
        assert worker.stdout.readline() == b"running\n"
        os.kill(worker.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while processes_in(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert processes_in(tmp_path) == []
