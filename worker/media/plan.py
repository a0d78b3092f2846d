"""Decide what has to be done to downloaded files to become what was asked for. Pure; no file is touched.

What may be copied into which container without decoding it:

    mp4   video h264, hevc, av1, vp9        audio aac, mp3, ac3
    webm  video vp8, vp9, av1               audio opus, vorbis
    mkv   anything                          m4a  aac          mp3  mp3          wav  pcm

The rule behind mp4: pictures are copied whenever current browsers and phones can show them, because
encoding video takes longer than watching it, and 1440p and 2160p often exist as vp9 or av1 only. Sound is
stricter, because encoding it is nearly free: Opus in mp4 is mute on many phones and in QuickTime.
Sound without pictures becomes no mp4, but the sound file that people expect: MP3 stays mp3, the rest is m4a.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.errors import Code, JobError
from shared.options import Clip, MediaFormat, Options
from worker.media.probe import Kind, MediaInfo, Stream

PREROLL = 0.5  # seconds a copied clip may have to start early to begin with a keyframe
_SLACK = 0.05  # seconds; a clip that ends this close to the end of the file cuts nothing off

VIDEO_COPY = {
    MediaFormat.MP4: frozenset({"h264", "hevc", "av1", "vp9"}),
    MediaFormat.WEBM: frozenset({"vp8", "vp9", "av1"}),
}
AUDIO_COPY = {
    MediaFormat.MP4: frozenset({"aac", "mp3", "ac3"}),
    MediaFormat.WEBM: frozenset({"opus", "vorbis"}),
    MediaFormat.M4A: frozenset({"aac"}),
    MediaFormat.MP3: frozenset({"mp3"}),
    MediaFormat.WAV: frozenset({"pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}),
}
ENCODERS = {
    MediaFormat.MP4: {Kind.VIDEO: "libx264", Kind.AUDIO: "aac"},
    MediaFormat.WEBM: {Kind.VIDEO: "libvpx-vp9", Kind.AUDIO: "libopus"},
    MediaFormat.MKV: {Kind.VIDEO: "libx264", Kind.AUDIO: "aac"},
    MediaFormat.M4A: {Kind.AUDIO: "aac"},
    MediaFormat.MP3: {Kind.AUDIO: "libmp3lame"},
    MediaFormat.WAV: {Kind.AUDIO: "pcm_s16le"},
}
# The containers that already are what a format promises. WebM is a Matroska profile, so it passes as mkv;
# MP3 is what an mp4 of nothing but sound may be.
CONTAINERS = {
    MediaFormat.MP4: frozenset({"mp4", "mp3"}),
    MediaFormat.WEBM: frozenset({"webm"}),
    MediaFormat.MKV: frozenset({"mkv", "webm"}),
    MediaFormat.M4A: frozenset({"mp4"}),
    MediaFormat.MP3: frozenset({"mp3"}),
    MediaFormat.WAV: frozenset({"wav"}),
}


@dataclass(frozen=True)
class Track:
    """One stream of the result: stream `index` of input number `source`; no encoder means: copy."""

    source: int
    stream: Stream
    encoder: str | None = None


@dataclass(frozen=True)
class Plan:
    """What to do; nothing, where `is_done`: the one file already is what was asked for. Times in seconds.

    `start` and `length` are the clip to cut, None when nothing is cut off; ffmpeg begins to read `lead`
    before it. `duration` is how long the result will be, None when nobody knows.
    """

    is_done: bool
    format: MediaFormat
    tracks: tuple[Track, ...]
    start: float | None = None
    length: float | None = None
    duration: float | None = None
    lead: float = 0.0


def plan(inputs: Sequence[MediaInfo], options: Options, keyframe: float | None = None) -> Plan:
    """Decide what happens to the downloaded files: one file, or a video and an audio file to merge.

    `keyframe` is where a seek to the clip's start lands, None when it lands on none; it is needed only when
    `needs_keyframe` says so. Raises JobError: BROKEN_FILE for a cut-off file, NO_FORMAT when there is nothing
    of the kind asked for, CLIP_OUTSIDE when the clip starts after the end.
    """
    for info in inputs:
        if not info.whole:
            raise JobError(Code.BROKEN_FILE, f"{info.path.name} ends before its declared size")
    wanted = _fitting(inputs, options.format)
    chosen = _choose(inputs, wanted)
    duration = max((info.duration for info in inputs if info.duration), default=None)
    clip = bounded(options.clip, duration)
    copies_video = clip is None or (keyframe is not None and 0 <= clip.start - keyframe <= PREROLL)
    tracks = tuple(Track(source, stream, _encoder(stream, wanted, copies_video)) for source, stream in chosen)
    copies_all = not any(track.encoder for track in tracks)
    return Plan(
        is_done=clip is None and copies_all and _is_right(inputs, wanted),
        format=wanted,
        tracks=tracks,
        start=clip.start if clip else None,
        length=clip.length if clip else None,
        duration=clip.length if clip else duration,
    )


def bounded(clip: Clip | None, duration: float | None) -> Clip | None:
    """The part of a clip that exists, None when it is everything. Raises JobError(CLIP_OUTSIDE)."""
    if clip is None or duration is None:
        return clip
    if clip.start >= duration:
        raise JobError(Code.CLIP_OUTSIDE, f"starts at {clip.start:g} s of {duration:g} s")
    if clip.end < duration - _SLACK:
        return clip
    return Clip(start=clip.start, end=duration) if clip.start > 0 else None


def needs_keyframe(inputs: Sequence[MediaInfo], options: Options) -> tuple[MediaInfo, Stream] | None:
    """The stream whose keyframes decide between copying a clip and encoding it; None when none does."""
    if options.clip is None or options.format.is_audio:
        return None
    for source, stream in _choose(inputs, options.format):
        if stream.kind is Kind.VIDEO and _may_copy(stream, options.format):
            return inputs[source], stream
    return None


def _fitting(inputs: Sequence[MediaInfo], wanted: MediaFormat) -> MediaFormat:
    """What was asked for, except where that is mp4 and there is nothing but sound."""
    if wanted is not MediaFormat.MP4 or any(info.of(Kind.VIDEO) for info in inputs):
        return wanted
    sound = [stream for info in inputs for stream in info.of(Kind.AUDIO)]
    return MediaFormat.MP3 if sound and sound[0].codec == "mp3" else MediaFormat.M4A


def _choose(inputs: Sequence[MediaInfo], wanted: MediaFormat) -> list[tuple[int, Stream]]:
    """The streams the result is made of: the first video, and the sound that belongs to it."""
    every = [(source, stream) for source, info in enumerate(inputs) for stream in info.streams]
    video = [] if wanted.is_audio else [pair for pair in every if pair[1].kind is Kind.VIDEO][:1]
    sound = [pair for pair in every if pair[1].kind is Kind.AUDIO]
    # A file of sound alone was fetched to go with the video; it replaces what the video file carries.
    separate = [pair for pair in sound if not inputs[pair[0]].of(Kind.VIDEO)]
    sound = (separate or sound)[:1] if wanted.is_audio else separate or sound
    if not video and not sound:
        missing = "sound" if wanted.is_audio else "video or sound"
        raise JobError(Code.NO_FORMAT, f"there is no {missing} in what was downloaded")
    return [*video, *sound]


def _may_copy(stream: Stream, wanted: MediaFormat) -> bool:
    table = VIDEO_COPY if stream.kind is Kind.VIDEO else AUDIO_COPY
    return wanted is MediaFormat.MKV or stream.codec in table[wanted]


def _encoder(stream: Stream, wanted: MediaFormat, copies_video: bool) -> str | None:
    if _may_copy(stream, wanted) and (copies_video or stream.kind is Kind.AUDIO):
        return None
    return ENCODERS[wanted][stream.kind]


def _is_right(inputs: Sequence[MediaInfo], wanted: MediaFormat) -> bool:
    """Whether there is one file, and no copying pass is needed either, apart from codecs and clips."""
    info = inputs[0]
    plays_at_once = info.container != "mp4" or info.faststart
    pictures_left_over = wanted.is_audio and info.of(Kind.VIDEO)
    return (
        len(inputs) == 1
        and info.container in CONTAINERS[wanted]
        and not info.fragmented
        and plays_at_once
        and not pictures_left_over
        and info.duration is not None
    )
