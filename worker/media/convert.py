"""Carry out a plan: one ffmpeg pass that merges, remuxes, cuts and encodes, whatever is needed."""

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ffmpeg

from shared.errors import Code, JobError
from shared.options import MediaFormat, Options
from worker.media.plan import Plan, Track, needs_keyframe, plan
from worker.media.probe import Kind, MediaInfo, inspect_all, keyframe_at, packets_between
from worker.media.process import DEMUXERS, PROTOCOLS, file_url, run

THREADS = min(4, os.cpu_count() or 1)
MUXERS = {
    MediaFormat.MP4: "mp4",
    MediaFormat.WEBM: "webm",
    MediaFormat.MKV: "matroska",
    MediaFormat.M4A: "ipod",
    MediaFormat.MP3: "mp3",
    MediaFormat.WAV: "wav",
}
# ffmpeg seeks this much earlier in containers that are indexed by decoding time, when frames are stored
# out of order (ffmpeg_opt.c: 3 frames at 23 per second).
_EARLY_SEEK = 3 / 23
# MPEG streams have no index: a seek lands on any frame, and up to the next keyframe there are no pictures.
_UNINDEXED = ("mpegts", "mpeg")
_LEAD = 30.0  # seconds; longer than nearly every group of pictures

SLOWEST_DISK = 20_000_000  # bytes a second

ArgumentMap = dict[str, Any]


@dataclass(frozen=True)
class ConversionLimits:
    """What a conversion may use: `stall` seconds without getting on, `max_bytes` for its result."""

    stall: float
    max_bytes: int


async def convert(
    inputs: Sequence[Path],
    work_dir: Path,
    options: Options,
    on_progress: Callable[[float], None],
    limits: ConversionLimits | None = None,
) -> Path:
    """Make one finished file of the downloaded ones; a single file that is right already is returned.

    `on_progress` gets a growing fraction from 0 to 1. The result is `work_dir/result.<format>`; the inputs
    stay where they are. Cancelling kills ffmpeg and removes what it wrote. Raises what `inspect` and `plan`
    raise, JobError(DISK_FULL), and JobError(STALLED or TOO_LARGE) when ffmpeg runs into a limit.
    """
    infos = await inspect_all(inputs)
    decision = plan(infos, options, await _keyframe(infos, options))
    if decision.is_done:
        on_progress(1.0)
        return inputs[0]
    decision = replace(decision, lead=await _lead(infos, decision))
    partial = unfinished_result(work_dir, decision.format)
    result = work_dir / f"result.{decision.format}"
    try:
        partial.unlink(missing_ok=True)
        await _run_ffmpeg(arguments(infos, decision, partial), decision.duration, on_progress, limits)
        partial.replace(result)
    finally:
        partial.unlink(missing_ok=True)
    on_progress(1.0)
    return result


def unfinished_result(work_dir: Path, form: MediaFormat) -> Path:
    """Where a result grows until it is whole."""
    return work_dir / f".converting.{form}"


async def _run_ffmpeg(
    command: Sequence[str],
    duration: float | None,
    on_progress: Callable[[float], None],
    limits: ConversionLimits | None,
) -> None:
    """Run it for as long as it gets on, and as long as what it writes is not too large."""
    now = asyncio.get_running_loop().time
    patience = asyncio.timeout(limits.stall if limits else None)

    def moved(written: int) -> None:
        if limits is None or patience.expired():
            return
        if written > limits.max_bytes:
            raise JobError(Code.TOO_LARGE, f"ffmpeg wrote more than {limits.max_bytes} bytes")
        # at its end ffmpeg may write an mp4 a second time, and says nothing meanwhile
        patience.reschedule(now() + limits.stall + written / SLOWEST_DISK)

    try:
        async with patience:
            await run("ffmpeg", command, ConversionProgress(duration, on_progress, moved).feed)
    except TimeoutError as error:
        if not patience.expired():
            raise
        raise JobError(Code.STALLED, "ffmpeg got no further") from error


async def _keyframe(infos: Sequence[MediaInfo], options: Options) -> float | None:
    """Where ffmpeg will land when it seeks to the start of the clip; None when it does not matter."""
    target = needs_keyframe(infos, options)
    if target is None or options.clip is None:
        return None
    if options.clip.start == 0:
        return 0.0
    info, stream = target
    if info.container in _UNINDEXED:
        return None
    early = _EARLY_SEEK if stream.delayed and info.container not in ("mp4", "mov") else 0.0
    return await keyframe_at(info, stream, max(0.0, options.clip.start - early))


async def _lead(infos: Sequence[MediaInfo], decision: Plan) -> float:
    """How many seconds before the clip ffmpeg has to begin, so that it meets a keyframe before the clip."""
    start = decision.start or 0.0
    for track in decision.tracks:
        info = infos[track.source]
        if start and track.stream.kind is Kind.VIDEO and info.container in _UNINDEXED:
            begin = max(0.0, start - _LEAD)
            packets = await packets_between(info, track.stream, begin, start)
            return start - begin if any("K" in packet.flags for packet in packets) else start
    return 0.0


def arguments(infos: Sequence[MediaInfo], decision: Plan, output: Path) -> list[str]:
    """The ffmpeg arguments for a plan, without the program's name."""
    sources = {track.source: _source(infos[track.source], decision) for track in decision.tracks}
    streams = [_mapped(sources[track.source], track) for track in decision.tracks]
    target = ffmpeg.output(*streams, file_url(output), **_output_options(decision))
    target = target.global_args("-nostdin", "-hide_banner", "-nostats", "-v", "error")
    target = target.global_args("-progress", "pipe:1", "-filter_threads", "1")
    return [str(argument) for argument in target.get_args(overwrite_output=True)]


def _source(info: MediaInfo, decision: Plan) -> Any:
    extra: ArgumentMap = {} if decision.start is None else {"ss": f"{decision.start - decision.lead:.6f}"}
    if info.container == "avi":
        extra["fflags"] = "+genpts"  # AVI has no timestamps, and other containers demand them
    return ffmpeg.input(
        file_url(info.path),
        protocol_whitelist=PROTOCOLS,
        format_whitelist=DEMUXERS,
        threads=THREADS,
        **extra,
    )


def _mapped(source: Any, track: Track) -> Any:
    stream = source[str(track.stream.index)]
    odd = (track.stream.width or 0) % 2 or (track.stream.height or 0) % 2
    if track.encoder == "libx264" and odd:
        return stream.filter("scale", "trunc(iw/2)*2", "trunc(ih/2)*2")  # 4:2:0 has no odd sizes
    return stream


def _output_options(decision: Plan) -> ArgumentMap:
    wanted = decision.format
    options: ArgumentMap = {"format": MUXERS[wanted], "threads": THREADS, "max_muxing_queue_size": 4096}
    if decision.lead:
        options["ss"] = f"{decision.lead:.6f}"
    if decision.length is not None:
        options["t"] = f"{decision.length:.6f}"
    if wanted in (MediaFormat.MP4, MediaFormat.M4A):
        options["movflags"] = "+faststart"
    if wanted is MediaFormat.WAV:
        options["rf64"] = "auto"  # plain WAV ends at 4 GB
    if wanted.is_audio:
        options |= {"vn": None, "map_metadata": -1, "map_chapters": -1}
    counts: dict[Kind, int] = {}
    for track in decision.tracks:
        kind = track.stream.kind
        place = counts.get(kind, 0)
        counts[kind] = place + 1
        options |= _codec_options(track, f"{kind[0]}:{place}", decision)
    return options


def _codec_options(track: Track, place: str, decision: Plan) -> ArgumentMap:
    """The options of one stream of the result; `place` is ffmpeg's name for it, such as a:0."""
    if track.encoder is None:
        options: ArgumentMap = {f"c:{place}": "copy"}
        if track.stream.codec == "hevc" and decision.format is MediaFormat.MP4:
            options[f"tag:{place}"] = "hvc1"  # Apple plays no other tag
        if track.stream.kind is Kind.AUDIO and decision.start:
            # Sound may be indexed more coarsely than pictures: start it at the clip, not at the index.
            options[f"copypriorss:{place}"] = 0
        return options
    options = {f"c:{place}": track.encoder}
    options |= {f"{name}:{place}": value for name, value in _QUALITY.get(track.encoder, {}).items()}
    if track.encoder == "libopus" and (track.stream.channels or 0) > 2:
        options[f"ac:{place}"] = 2  # libopus refuses some surround layouts that AAC and AC-3 use
    return options


_QUALITY: dict[str, ArgumentMap] = {
    "libx264": {"preset": "veryfast", "crf": 20, "pix_fmt": "yuv420p"},
    "libvpx-vp9": {
        "deadline": "realtime",
        "cpu-used": 8,
        "row-mt": 1,
        "crf": 30,
        "b": 0,
        "pix_fmt": "yuv420p",
    },
    "aac": {"b": "160k"},
    "libopus": {"b": "128k"},
    "libmp3lame": {"q": 2},
}


class ConversionProgress:
    """Turns what ffmpeg writes to `-progress` into a fraction that only grows and stays below 1.

    `moved` is called with the bytes written so far whenever ffmpeg has got on: a report alone is none.
    """

    def __init__(
        self,
        duration: float | None,
        report: Callable[[float], None],
        moved: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._duration = duration
        self._report = report
        self._moved = moved
        self._rest = b""
        self._reached = 0.0
        self._farthest: dict[bytes, int] = {b"total_size": 0, b"out_time_us": 0}

    def feed(self, data: bytes) -> None:
        """Take the next piece of output, which may end anywhere."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            name, _, value = line.partition(b"=")
            if name in self._farthest and value.strip().isdigit():
                self._measured(name, int(value))

    def _measured(self, name: bytes, value: int) -> None:
        if value <= self._farthest[name]:
            return
        self._farthest[name] = value
        self._moved(self._farthest[b"total_size"])
        if name == b"out_time_us" and self._duration:
            self._advance(value / 1e6 / self._duration)

    def _advance(self, fraction: float) -> None:
        fraction = min(fraction, 0.99)  # 1 is said when the file is in its place
        if fraction > self._reached:
            self._reached = fraction
            self._report(fraction)
