"""Is this the whole, playable file that was asked for? Nothing is "done" before this says so."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from shared.errors import Code, JobError
from shared.options import Clip, Options
from worker.media.answer import Answer
from worker.media.layout import read_layout
from worker.media.plan import CONTAINERS
from worker.media.probe import (
    START_PACKETS,
    Kind,
    MediaInfo,
    describe,
    first_frame,
    inspect,
    inspect_all,
    packets_between,
    remember,
)

TOLERANCE = 2.0  # seconds, or the share below of the duration, whichever is more
TOLERANCE_SHARE = 0.03
LATE = 0.5  # seconds by which the pictures of a clip may begin late
LATE_PICTURES = 2  # the same for slides: so many the source may have until then
ENOUGH = 60.0  # seconds of pictures to list: ffprobe may say only so much
NO_PICTURES = "There are no pictures in that part of the video."


async def verify(
    path: Path,
    options: Options,
    stated_duration: float | None,
    kinds: Collection[Kind] = (),
    sources: Sequence[Path] = (),
) -> MediaInfo:
    """Look at a finished file and insist that it is right; returns what it is.

    `stated_duration` is the length of the whole source in seconds as the site tells it, before any clip;
    `sources` are the files it was made of, none or itself when it was downloaded as it is. `kinds` were
    promised: the result must have one stream of each, and of each kind its sources have (an audio format
    needs sound only). Raises JobError: BROKEN_FILE with the reason in `detail`, CLIP_OUTSIDE for a clip from
    where the sources have no pictures.
    """
    try:
        return await _verified(path, options, stated_duration, kinds, sources)
    except JobError as error:
        if error.code is Code.BROKEN_FILE and not await _have_pictures(sources, options):
            raise JobError(Code.CLIP_OUTSIDE, error.detail, sentence=NO_PICTURES) from error
        raise


async def _verified(
    path: Path,
    options: Options,
    stated_duration: float | None,
    kinds: Collection[Kind],
    sources: Sequence[Path],
) -> MediaInfo:
    info = await inspect(path)
    if not _starts(info):
        first = await first_frame(info)
        info = info if first is None else replace(info, decoded=(first, *info.decoded))
    made_of = await inspect_all(sources) if sources else [info]
    if options.clip and path not in sources:
        await _check_pictures(info, options.clip, made_of)
    had = {kind for kind in (Kind.VIDEO, Kind.AUDIO) if any(source.of(kind) for source in made_of)}
    check(info, options, believable(stated_duration, made_of), had.union(kinds))
    return info


async def _check_pictures(info: MediaInfo, clip: Clip, sources: Sequence[MediaInfo]) -> None:
    """Insist that the pictures of a clip begin with it, as far as its sources have any there."""
    for stream in info.of(Kind.VIDEO)[:1]:
        first = await first_frame(info, stream)
        late = clip.length if first is None else first + info.start_time
        if late > LATE and await _pictures(sources, clip.start, clip.start + late) > LATE_PICTURES:
            raise JobError(Code.BROKEN_FILE, f"{info.path.name}: its pictures are {late:.1f} s late")


async def _have_pictures(sources: Sequence[Path], options: Options) -> bool:
    """Whether files have pictures where the clip is from; also where there need be none."""
    clip, infos = options.clip, await inspect_all(sources)
    if clip is None or options.format.is_audio or not any(info.of(Kind.VIDEO) for info in infos):
        return True
    return await _pictures(infos, clip.start, clip.end) > 0


async def _pictures(sources: Sequence[MediaInfo], start: float, end: float) -> int:
    """How many pictures there are from one time up to another, in seconds; the first minute tells enough."""
    end = min(end, start + ENOUGH)
    every = [(source, stream) for source in sources for stream in source.of(Kind.VIDEO)[:1]]
    return sum([len(await packets_between(source, stream, start, end)) for source, stream in every])


async def trust(path: Path, answer: Answer) -> None:
    """Take the word of whoever looked at a local file before, in ffprobe's form, when all of it looks right.

    A file is refused on ffprobe's word only: nothing is remembered otherwise, so `inspect` asks it.
    """
    stat, layout = await asyncio.to_thread(lambda: (path.stat(), read_layout(path)))
    info = describe(path, answer, layout)
    if info.duration and _unreadable(info) is None:
        remember(info, stat)


def check(
    info: MediaInfo, options: Options, expected_duration: float | None, kinds: Collection[Kind] = ()
) -> None:
    """The same for a file that has been looked at already."""
    fault = (
        _wrong_streams(info, options, kinds)
        or _wrong_duration(info, options, expected_duration)
        or _unreadable(info)
    )
    if fault:
        raise JobError(Code.BROKEN_FILE, f"{info.path.name}: {fault}")


def believable(stated: float | None, sources: Sequence[MediaInfo]) -> float | None:
    """How long the source is, in seconds: sites err, and files that prove themselves whole do not.

    Where nothing proves it, such as in an MPEG transport stream, the site's word is all there is.
    """
    if stated is None or not all(source.sealed for source in sources):
        return stated
    return min(stated, max(source.duration or 0.0 for source in sources))


def tolerance(duration: float) -> float:
    """How many seconds a file of this duration may be off."""
    return max(TOLERANCE, TOLERANCE_SHARE * duration)


def _wrong_streams(info: MediaInfo, options: Options, kinds: Collection[Kind]) -> str | None:
    if info.container not in CONTAINERS[options.format]:
        return f"it is {info.container}, not {options.format}"
    if options.format.is_audio:
        if info.of(Kind.VIDEO):
            return "it has pictures where only sound was wanted"
        return None if info.of(Kind.AUDIO) else "it has no sound"
    if not info.of(Kind.VIDEO) and not info.of(Kind.AUDIO):
        return "it has neither pictures nor sound"
    missing = [kind for kind in kinds if not info.of(kind)]
    return f"it lost its {' and '.join(missing)}" if missing else None


def _wrong_duration(info: MediaInfo, options: Options, expected: float | None) -> str | None:
    if not info.duration or info.duration < 0:
        return "it has no duration"
    shortest = expected
    if options.clip:
        longest = options.clip.length
        if info.duration > longest + tolerance(longest):
            return f"it lasts {info.duration:.1f} s instead of {longest:.1f} s"
        # the clip may reach beyond an end that nobody knows
        shortest = None if expected is None else min(options.clip.end, expected) - options.clip.start
    if shortest is not None and info.duration < shortest - tolerance(shortest):
        return f"it lasts {info.duration:.1f} s instead of {shortest:.1f} s"
    return None  # longer than the site says is no fault


def _unreadable(info: MediaInfo) -> str | None:
    """What the frames decoded at both ends say. PCM has no frames that could be broken."""
    if not info.whole:
        return "it ends before its declared size"
    if all(stream.codec.startswith("pcm_") for stream in info.of(Kind.AUDIO)) and not info.of(Kind.VIDEO):
        return None
    if not _starts(info):
        return "its start cannot be decoded"
    # More frames than the start can have given: the seek to the end gave some as well. With fewer, the file
    # may still be that short, or the last keyframe its very last frame.
    duration = info.duration or 0.0
    near_end = info.decoded[-1] >= duration - tolerance(duration)
    if info.of(Kind.VIDEO):
        near_end = near_end or len(info.decoded) > START_PACKETS
    return None if near_end else "its end cannot be decoded"


def _starts(info: MediaInfo) -> bool:
    return bool(info.decoded) and info.decoded[0] <= 1
