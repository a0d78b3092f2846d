"""A look at a downloaded file by libav, which ffprobe is made of: 8 ms here, 70 in a process of its own.

The answer has the form of ffprobe's, so that one place reads both. What does not look right here is looked at
again by ffprobe, whose word counts: see `worker.media.check.trust`.
"""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.packet import Packet
from av.stream import Disposition as Flags
from av.stream import Stream

from shared.errors import Code, JobError
from worker.media.answer import Answer, Disposition, FormatAnswer, FormatTags, FrameAnswer, StreamAnswer
from worker.media.probe import END_PACKETS, PAST_THE_END, START_PACKETS
from worker.media.process import DEMUXERS, file_url

_MOST_STREAMS = 100
_ONLY_THIS_FILE = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS}
_DECODED = ("video", "audio")


def look(path: Path) -> Answer:
    """What ffprobe would say about a file in `worker.media.probe`. Raises JobError(BROKEN_FILE)."""
    try:
        with av.open(file_url(path), options=_ONLY_THIS_FILE, metadata_errors="replace") as container:
            if len(container.streams) > _MOST_STREAMS:
                raise JobError(Code.BROKEN_FILE, f"{path.name} has {len(container.streams)} streams")
            return _answer(container)
    except (FFmpegError, ValueError) as error:
        raise JobError(Code.BROKEN_FILE, f"{path.name}: {error}") from error


def _answer(container: InputContainer) -> Answer:
    for stream in container.streams:
        if stream.codec_context is not None:
            stream.codec_context.thread_count = 1
    streams = [_stream(stream) for stream in container.streams]
    frames = [*_frames(container, START_PACKETS)]
    try:
        container.seek(PAST_THE_END * av.time_base)
        frames += _frames(container, END_PACKETS)
    except FFmpegError:  # no way to the end: then nothing was decoded there
        pass
    return Answer(
        format=FormatAnswer(
            format_name=container.format.name,
            duration=_seconds(container.duration),
            start_time=_seconds(container.start_time),
            tags=FormatTags(major_brand=container.metadata.get("major_brand", "")),
        ),
        streams=tuple(streams),
        frames=tuple(FrameAnswer(best_effort_timestamp_time=time) for time in frames),
    )


def _seconds(time: int | None) -> float | None:
    return None if time is None else time / av.time_base


def _stream(stream: Stream) -> StreamAnswer:
    context: Any = stream.codec_context
    names = {"video": ("width", "height", "has_b_frames"), "audio": ("channels",)}.get(stream.type, ())
    said = {name: getattr(context, name) for name in names if context is not None}
    if context is not None:
        said["codec_name"] = context.codec.canonical_name
    cover = Disposition(attached_pic=Flags.attached_pic in stream.disposition)
    return StreamAnswer(index=stream.index, codec_type=stream.type, disposition=cover, **said)


def _frames(container: InputContainer, packets: int) -> Iterator[float]:
    """The times of the frames in so many packets from here on, and of those that decoders hold back."""
    for packet in islice(_packets(container), packets):
        yield from _times(packet.stream, packet)
    for stream in container.streams:
        yield from _times(stream, None)


def _packets(container: InputContainer) -> "Iterable[Packet[Any]]":
    try:
        for packet in container.demux():
            if packet.size:  # the empty ones at the end are not the file's
                yield packet
    except FFmpegError:  # what cannot be read is not there
        return


def _times(stream: Stream, packet: "Packet[Any] | None") -> Iterator[float]:
    context: Any = stream.codec_context
    if context is None or stream.type not in _DECODED or stream.time_base is None:
        return
    try:
        frames = context.decode(packet)
    except (FFmpegError, ValueError):  # no frame, as ffprobe has it
        return
    for frame in frames:
        time = frame.dts if frame.pts is None else frame.pts
        if time is not None:
            yield float(time * stream.time_base)
