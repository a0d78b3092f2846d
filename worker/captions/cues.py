"""The one model that every caption file is read into and every transcript is written from.

Times are whole milliseconds from the start of the video: every caption format can say them exactly, so
reading what was written gives back the same numbers. The values are named tuples and not dataclasses
because a long video has 150 000 of them, and these are made in half the time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from operator import itemgetter
from typing import NamedTuple, Protocol

READABLE = 3000  # ms; how long a cue stays when its file gives it no usable end
MAX_CUES = 200_000  # five times what ten hours of speech have; more is a file made to fill the memory

MAX_TEXT = 20_000  # characters of one cue; nobody can read more at once


class Span(Protocol):
    """A part of the video, in seconds. A protocol, so that reading captions needs no pydantic."""

    @property
    def start(self) -> float: ...

    @property
    def end(self) -> float: ...


class Chapter(Span, Protocol):
    """A named part."""

    @property
    def title(self) -> str: ...


class Part(NamedTuple):
    """A chapter or a clip as captions are made with; times in seconds."""

    start: float
    end: float
    title: str = ""


class Word(NamedTuple):
    """A word, syllable or phrase with the moment it is spoken.

    `text` keeps the white space around it, because Chinese has none and only the source knows.
    """

    start: int
    text: str


class Cue(NamedTuple):
    """Text shown from `start` to `end`, in milliseconds.

    `text` is plain: no markup, no control characters, rows parted by single newlines, none of them
    empty. `words` is empty when their times are unknown; otherwise joining their texts gives `text`.
    """

    start: int
    end: int
    text: str
    speaker: str | None = None
    words: tuple[Word, ...] = ()


class ReadResult(NamedTuple):
    """What could be read of a file, and how many of its parts could not."""

    cues: list[Cue]
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that a writer needs. `language` is a BCP 47 tag, None when nobody said.

    `watch_url` is the page that plays the video, where there is one.
    """

    cues: Sequence[Cue]
    chapters: Sequence[Chapter] = ()
    language: str | None = None
    watch_url: str | None = None


def ordered(cues: Iterable[Cue]) -> list[Cue]:
    """The cues by start, each ending after it starts; those with an impossible end get a usable one."""
    by_start = sorted(cues, key=itemgetter(0))
    for index, cue in enumerate(by_start):
        if cue.end <= cue.start:
            end = cue.start + READABLE
            if index + 1 < len(by_start) and by_start[index + 1].start > cue.start:
                end = min(end, by_start[index + 1].start)
            by_start[index] = cue._replace(end=end)
    return by_start


def without_overlap(cues: Sequence[Cue]) -> list[Cue]:
    """Ordered cues of which each ends before the next starts; those that start together become one."""
    if all(one.end <= two.start for one, two in pairwise(cues)):
        return list(cues)
    result: list[Cue] = []
    for _, group in groupby(cues, key=itemgetter(0)):
        cue = _together(list(group))
        if result and result[-1].end > cue.start:
            result[-1] = result[-1]._replace(end=cue.start)
        result.append(cue)
    return result


def _together(cues: list[Cue]) -> Cue:
    if len(cues) == 1:
        return cues[0]
    speakers = {cue.speaker for cue in cues}
    text = "\n".join(dict.fromkeys(cue.text for cue in cues))
    end = max(cue.end for cue in cues)
    return Cue(cues[0].start, end, text, speakers.pop() if len(speakers) == 1 else None)
