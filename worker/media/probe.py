"""Look at a media file: one ffprobe call that also decodes a few frames at its start and its end."""

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from pydantic import ValidationError

from shared.errors import Code, JobError
from shared.recent import Recent
from worker.media.answer import Answer, FormatAnswer, FrameAnswer, PacketAnswer, StreamAnswer
from worker.media.layout import Layout, read_layout
from worker.media.process import DEMUXERS, PROTOCOLS, file_url, run

START_PACKETS = 3  # more than one: the first packets of AAC and Opus decode to nothing
HIDDEN_PACKETS = 200  # a cut mp4 may begin with seconds that are decoded but never shown
END_PACKETS = 12
PAST_THE_END = 10_000_000  # seconds; a seek there lands on the last keyframe
PATIENCE = 60.0  # seconds an answer may take; a usual one takes a tenth
_MAX_OUTPUT = 1024 * 1024
_ENTRIES = (
    "format=format_name,duration,start_time:format_tags=major_brand"
    ":stream=index,codec_type,codec_name,width,height,channels,has_b_frames"
    ":stream_disposition=attached_pic"
    ":frame=best_effort_timestamp_time"
)


class Kind(StrEnum):
    """What a stream carries."""

    VIDEO = "video"
    AUDIO = "audio"
    PICTURE = "picture"  # a cover: a video stream to ffmpeg, not to people
    OTHER = "other"


@dataclass(frozen=True)
class Stream:
    """One stream; `index` is its place in the file, `delayed` says that frames are stored out of order."""

    index: int
    kind: Kind
    codec: str
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    delayed: bool = False


@dataclass(frozen=True)
class MediaInfo:
    """What a file is. Times in seconds.

    `container` is mp4, mov, webm, mkv, mpegts, mp3, wav or ffprobe's own name. `whole` is False when the file
    ends before its declared size; `sealed` says that it declares one and is all there. `decoded` holds the
    times of the frames that could be decoded: of START_PACKETS at the start, then some from the last keyframe
    on.
    """

    path: Path
    container: str
    streams: tuple[Stream, ...]
    duration: float | None = None
    start_time: float = 0.0
    faststart: bool = False
    fragmented: bool = False
    whole: bool = True
    sealed: bool = False
    decoded: tuple[float, ...] = ()

    def of(self, kind: Kind) -> tuple[Stream, ...]:
        """The streams of one kind, in file order."""
        return tuple(stream for stream in self.streams if stream.kind is kind)


_remembered: Recent[tuple[str, int, int, int], MediaInfo] = Recent(64)


async def inspect(path: Path) -> MediaInfo:
    """Look at a local file. Raises JobError: BROKEN_FILE when it is empty or no media file, STALLED.

    The answer is remembered for as long as the file stays the same, so that a download which needs no
    conversion costs one ffprobe call in all, not one per stage.
    """
    stat = await asyncio.to_thread(path.stat)
    if stat.st_size == 0:
        raise JobError(Code.BROKEN_FILE, f"{path.name} is empty")
    if (known := _remembered.get(_identity(path, stat))) is not None:
        return known
    layout = await asyncio.to_thread(read_layout, path)
    return remember(describe(path, await _look(path), layout), stat)


def remember(info: MediaInfo, stat: os.stat_result) -> MediaInfo:
    """What `inspect` answers from now on, while the file is as it was when `stat` was taken."""
    _remembered[_identity(info.path, stat)] = info
    return info


def _identity(path: Path, stat: os.stat_result) -> tuple[str, int, int, int]:
    return str(path), stat.st_ino, stat.st_size, stat.st_mtime_ns


async def inspect_all(paths: Sequence[Path]) -> list[MediaInfo]:
    """Look at several files at once. The first failure stops the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(inspect(path)) for path in paths]
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None
    return [task.result() for task in tasks]


async def keyframe_at(info: MediaInfo, stream: Stream, seconds: float) -> float | None:
    """Where a seek to a time lands: the time of a keyframe at or before it, None when there is none.

    `seconds` and the answer count from the start of the file, whatever its first timestamp is.
    """
    packets = await _packets(info, stream, seconds, "+#1")
    if not packets or "K" not in packets[0].flags:
        return None
    time = packets[0].pts_time
    return None if time is None else time - info.start_time


async def packets_between(info: MediaInfo, stream: Stream, start: float, end: float) -> list[PacketAnswer]:
    """What a stream has from one time on and before another, counted as in `keyframe_at`."""
    first, last = start + info.start_time, end + info.start_time
    packets = await _packets(info, stream, start, f"{last:.6f}")
    return [packet for packet in packets if packet.pts_time is not None and first <= packet.pts_time < last]


async def _packets(info: MediaInfo, stream: Stream, start: float, end: str) -> Sequence[PacketAnswer]:
    """From where a seek to a time lands up to an end in ffprobe's words."""
    answer = await _probe(
        info.path,
        *("-select_streams", str(stream.index)),
        *("-read_intervals", f"{start + info.start_time:.6f}%{end}"),
        *("-show_entries", "packet=pts_time,flags"),
    )
    return answer.packets


async def first_frame(info: MediaInfo, stream: Stream | None = None) -> float | None:
    """The time of the first frame that is shown, looked for further than `inspect` does; None if none is."""
    answer = await _probe(
        info.path,
        *(("-select_streams", str(stream.index)) if stream else ()),
        *("-read_intervals", f"%+#{HIDDEN_PACKETS}"),
        *("-show_entries", "frame=best_effort_timestamp_time"),
    )
    return next(iter(_times(answer.frames, info.start_time)), None)


def describe(path: Path, answer: Answer, layout: Layout) -> MediaInfo:
    """Put what ffprobe answered and what the bytes say into one value."""
    start = answer.format.start_time or 0.0
    return MediaInfo(
        path=path,
        container=_container(answer.format, layout),
        streams=tuple(_stream(stream) for stream in answer.streams),
        duration=answer.format.duration,
        start_time=start,
        faststart=layout.faststart,
        fragmented=layout.fragmented,
        whole=layout.whole,
        sealed=layout.sealed,
        decoded=_times(answer.frames, start),
    )


def _container(form: FormatAnswer, layout: Layout) -> str:
    names = form.format_name.split(",")
    if "mp4" in names:
        return "mov" if form.tags.major_brand.startswith("qt") else "mp4"
    if "matroska" in names:
        return "webm" if layout.doc_type == "webm" else "mkv"
    return names[0]


def _stream(said: StreamAnswer) -> Stream:
    kind = {"video": Kind.VIDEO, "audio": Kind.AUDIO}.get(said.codec_type, Kind.OTHER)
    if kind is Kind.VIDEO and said.disposition.attached_pic:
        kind = Kind.PICTURE
    return Stream(
        index=said.index,
        kind=kind,
        codec=said.codec_name,
        width=said.width,
        height=said.height,
        channels=said.channels,
        delayed=said.has_b_frames > 0,
    )


def _times(frames: Sequence[FrameAnswer], start: float) -> tuple[float, ...]:
    """When frames are shown, in seconds from the start of the file."""
    times = (frame.best_effort_timestamp_time for frame in frames)
    return tuple(time - start for time in times if time is not None)


async def _look(path: Path) -> Answer:
    intervals = f"%+#{START_PACKETS},{PAST_THE_END}%+#{END_PACKETS}"
    return await _probe(path, "-threads", "1", "-read_intervals", intervals, "-show_entries", _ENTRIES)


async def _probe(path: Path, *args: str) -> Answer:
    output = bytearray()

    def collect(data: bytes) -> None:
        output.extend(data)
        if len(output) > _MAX_OUTPUT:
            raise JobError(Code.BROKEN_FILE, f"ffprobe has too much to say about {path.name}")

    guard = ("-v", "error", "-protocol_whitelist", PROTOCOLS, "-format_whitelist", DEMUXERS)
    try:
        async with asyncio.timeout(PATIENCE):
            await run("ffprobe", (*guard, *args, "-of", "json=c=1", "-i", file_url(path)), collect)
        return Answer.model_validate_json(output)
    except TimeoutError as error:
        raise JobError(Code.STALLED, f"ffprobe took too long over {path.name}") from error
    except ValidationError as error:
        raise JobError(Code.BROKEN_FILE, f"ffprobe's answer about {path.name} is none") from error
