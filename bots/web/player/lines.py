"""The lines of a transcript, read back from the files that Linkferry wrote. Never raises on what it reads."""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

MAX_LINES = 50_000
"""More than ten hours of speech have; a page with more would only stall the browser."""

_STAMP = r"(?:(\d{1,6}):)?(\d{1,2}):(\d{1,2})[.,](\d{3})"
_TIMING = re.compile(rf"^[ \t]*{_STAMP}[ \t]+-->[ \t]+{_STAMP}.*$", re.MULTILINE)
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]*)>")
_TAG = re.compile(r"<[^>]*>")
_BLANK = re.compile(r"\n[ \t]*\n")
_HEADING = re.compile(r"== (.+) ==")

# Rows of one cue are one line to a reader, unless somebody else begins to speak, or sings.
_ROW = re.compile(r"\s*\n\s*(?![-–—‐>♪♫♬])")
_WIDE = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\ua4cf\uf900-\ufaff\ufe30-\uffef\U00020000-\U0003ffff]"
)
_ROW_WITHOUT_SPACE = re.compile(rf"(?<={_WIDE})\n(?={_WIDE})")


class Line(NamedTuple):
    """What is said from `start` to `end`, in seconds; a paragraph without times has neither.

    `speaker` is set where the speaker changes. `text` may hold newlines.
    """

    text: str
    start: float | None = None
    end: float | None = None
    speaker: str | None = None


class Mark(NamedTuple):
    """A chapter: where it begins, in seconds where that is known, and its name."""

    title: str
    start: float | None = None


class Section(NamedTuple):
    """The lines of a chapter; those before the first chapter have no mark."""

    mark: Mark | None
    lines: list[Line]


def read_vtt(text: str) -> list[Line]:
    """The cues of a WebVTT file."""
    return list(_cues(text, _vtt_payload))


def read_srt(text: str) -> list[Line]:
    """The cues of a SubRip file; what we write has no markup in it."""
    return list(_cues(text, lambda payload: (None, payload)))


def sections(lines: Sequence[Line], marks: Sequence[Mark]) -> list[Section]:
    """The lines under the chapters they are spoken in: a line belongs where its greater part is."""
    found = [Section(None, [])]
    waiting = sorted((mark for mark in marks if mark.start is not None), key=lambda mark: mark.start or 0.0)
    waiting.reverse()
    for line in lines:
        middle = ((line.start or 0.0) + (line.end or 0.0)) / 2
        while waiting and (waiting[-1].start or 0.0) < middle:
            found.append(Section(waiting.pop(), []))
        found[-1].lines.append(line)
    return [section for section in found if section.lines]


def read_txt(text: str) -> list[Section]:
    """Paragraphs without times, under the headings that the file has."""
    found = [Section(None, [])]
    for block in _BLANK.split(text, MAX_LINES):
        heading = _HEADING.fullmatch(block.strip())
        if heading:
            found.append(Section(Mark(heading[1]), []))
        elif block.strip():
            found[-1].lines.append(Line(block.strip()))
    return [section for section in found if section.lines or section.mark]


def _cues(text: str, payload_of: Callable[[str], tuple[str | None, str]]) -> Iterator[Line]:
    last_speaker = None
    for block in _BLANK.split(text.replace("\r\n", "\n")):
        timing = _TIMING.search(block)
        if timing is None:
            continue
        speaker, payload = payload_of(block[timing.end() :].strip("\n"))
        words = _ROW.sub(" ", _ROW_WITHOUT_SPACE.sub("", payload)).strip()
        if not words:
            continue
        stamps = timing.groups()
        new_speaker = speaker if speaker != last_speaker else None
        yield Line(words, _seconds(stamps[:4]), _seconds(stamps[4:]), new_speaker)
        last_speaker = speaker


def _vtt_payload(payload: str) -> tuple[str | None, str]:
    if "<" not in payload and "&" not in payload:
        return None, payload
    voice = _VOICE.search(payload)
    speaker = html.unescape(voice[1]).strip() if voice else ""
    return speaker or None, html.unescape(_TAG.sub("", payload))


def _seconds(stamp: Sequence[str | None]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in stamp)
    return hours * 3600 + minutes * 60 + seconds + thousandths / 1000
