"""Tiny media files, made with ffmpeg the first time a test asks for one.

Every picture is one shade of grey that tells its time, so a test can read from a result which moments of
the source it shows.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from worker.media import Kind, MediaInfo, Stream

DURATION = 6.0
RATE = 15  # pictures per second, and one keyframe per second
_SHADES = 36  # per second
_RAMP = f"color=black:s=160x90:r={RATE}:d={DURATION:g},geq=lum='16+{_SHADES}*T':cb=128:cr=128"
_TONE = f"sine=frequency=440:duration={DURATION:g}"
_H264 = "-c:v libx264 -preset ultrafast -qp 4 -g 15 -keyint_min 15 -pix_fmt yuv420p"
_VP9 = "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -crf 20 -b:v 0 -g 15"

# name: (what it is made of, how); made of nothing means: of the ramp and the tone
RECIPES = {
    "h264-aac.mp4": ("", f"{_H264} -c:a aac -movflags +faststart"),
    "vp9-opus.webm": ("", f"{_VP9} -c:a libopus"),
    "vp8-vorbis.webm": ("", "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis"),
    "hevc-aac.mp4": ("", "-c:v libx265 -preset ultrafast -x265-params log-level=none -c:a aac -t 2"),
    "av1-opus.mkv": ("", "-c:v libsvtav1 -preset 12 -c:a libopus -t 1"),
    "mpeg4-mp3.avi": ("", "-c:v mpeg4 -c:a libmp3lame"),
    "bframes.mkv": ("", "-c:v libx264 -preset veryfast -qp 4 -g 15 -keyint_min 15 -bf 2 -c:a aac"),
    "pictures-from-3.mkv": ("", f"-vf trim=start=3 {_H264} -c:a aac"),
    "pictures-to-2.mp4": ("", f"-vf trim=end=2 {_H264} -c:a aac"),
    "odd.mkv": ("", "-vf crop=159:89 -c:v ffv1 -c:a flac -t 2"),
    "late.mp4": ("h264-aac.mp4", "-c copy"),
    "h264-aac.mkv": ("h264-aac.mp4", "-c copy"),
    "from-100.mkv": ("h264-aac.mp4", "-c copy -output_ts_offset 100"),
    "h264-aac.mov": ("h264-aac.mp4", "-c copy"),
    "h264-aac.flv": ("h264-aac.mp4", "-c copy"),
    "really-ts.mp4": ("h264-aac.mp4", "-c copy -f mpegts"),
    "one-keyframe.ts": ("", "-c:v libx264 -preset ultrafast -qp 4 -c:a aac"),
    "fragmented.mp4": ("h264-aac.mp4", "-c copy -movflags frag_keyframe+empty_moov"),
    "h264-opus.mp4": ("h264-aac.mp4", "-c:v copy -c:a libopus -movflags +faststart"),
    "silent.mp4": ("h264-aac.mp4", "-an -c copy -movflags +faststart"),
    "silent.webm": ("vp9-opus.webm", "-an -c copy"),
    "aac.m4a": ("h264-aac.mp4", "-vn -c copy -movflags +faststart"),
    "opus.webm": ("vp9-opus.webm", "-vn -c copy"),
    "tone.mp3": ("", "-vn -c:a libmp3lame -metadata title=Secret"),
    "tone.wav": ("", "-vn -c:a pcm_s16le"),
    "tone.flac": ("", "-vn -c:a flac"),
    "long.mp4": ("h264-aac.mp4", "-c copy -movflags +faststart"),  # the source is read 200 times over
}

MakeSample = Callable[[str], Path]


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> MakeSample:
    """Give the path of a sample by its name in RECIPES."""
    folder = tmp_path_factory.mktemp("media")

    def make(name: str) -> Path:
        path: Path = folder / name
        if not path.exists():
            source, how = RECIPES[name]
            inputs = (
                ["-i", str(make(source))] if source else f"-f lavfi -i {_RAMP} -f lavfi -i {_TONE}".split()
            )
            repeat = ["-stream_loop", "200"] if name == "long.mp4" else []
            command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *repeat, *inputs, *how.split(), str(path)]
            subprocess.run(command, check=True)
        return path

    return make


def shown_times(path: Path) -> list[float]:
    """The source times of all pictures a player shows, read from the shade of one pixel in each."""
    how = "-map 0:v:0 -vf crop=2:2,extractplanes=y -fps_mode passthrough -f rawvideo -"
    command = ["ffmpeg", "-v", "error", "-nostdin", "-i", str(path), *how.split()]
    raw = subprocess.run(command, check=True, capture_output=True).stdout
    return [(shade - 16) / _SHADES for shade in raw[::4]]


def codecs(info: MediaInfo) -> list[str]:
    """The codecs of a file, pictures first."""
    return [stream.codec for stream in (*info.of(Kind.VIDEO), *info.of(Kind.AUDIO))]


def media(container: str, *streams: str, **changes: object) -> MediaInfo:
    """A made-up file of 60 s; a stream is written as `video h264`."""
    values: dict[str, object] = {
        "path": Path(f"input.{container}"),
        "container": container,
        "streams": tuple(
            Stream(index, Kind(kind), codec)
            for index, (kind, codec) in enumerate(stream.split() for stream in streams)
        ),
        "duration": 60.0,
        "faststart": container == "mp4",
        "decoded": (0.0, 0.02, 0.03, 58.0, 58.1, 58.2),
    }
    return MediaInfo(**(values | changes))  # type: ignore[arg-type]
