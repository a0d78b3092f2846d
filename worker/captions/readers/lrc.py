"""LRC lyrics: `[01:02.50]line`, several times for a line that is sung again, `<01:03.10>` for words."""

import re

from worker.captions.cues import MAX_CUES, Cue, ReadResult, Word
from worker.captions.markup import clock, tidy_words, unescape

_STAMP = r"[0-9]{1,3}:[0-9]{1,2}(?:[.:][0-9]{1,3})?"
_LINE = re.compile(rf"[ \t]*((?:\[{_STAMP}\][ \t]*)+)(.*)")
_TIME = re.compile(rf"\[({_STAMP})\]")
_WORD = re.compile(rf"<({_STAMP})>")
_OFFSET = re.compile(r"(?im)^\[offset:[ \t]*([+-]?[0-9]{1,7})[ \t]*\]")
_ID_TAG = re.compile(r"[ \t]*\[[A-Za-z#][^\]]*\][ \t]*")
LONGEST = 8000  # ms; a line followed by an instrumental part does not stay through it


def read_lrc(text: str) -> ReadResult:
    """LRC. A line lasts until the next one, at most eight seconds."""
    shift = _OFFSET.search(text)
    earlier = int(shift[1]) if shift else 0  # a positive offset means: show sooner
    lines: list[tuple[int, str]] = []
    skipped = 0
    for line in text.split("\n"):
        found = _LINE.fullmatch(line)
        if found:
            lines += [(max(0, _moment(stamp) - earlier), found[2]) for stamp in _TIME.findall(found[1])]
        elif line.strip() and not _ID_TAG.fullmatch(line):
            skipped += 1
        if len(lines) >= MAX_CUES:
            skipped += 1
            break
    lines.sort(key=lambda timed: timed[0])
    starts = [start for start, _ in lines]
    cues = []
    for index, (start, said) in enumerate(lines):
        following = next(
            (later for later in starts[index + 1 : index + 20] if later > start), start + LONGEST
        )
        cue = _cue(start, min(following, start + LONGEST), said, earlier)
        if cue:
            cues.append(cue)
    return ReadResult(cues, skipped)


def _moment(stamp: str) -> int:
    head, separator, tail = stamp.rpartition(":")
    return clock(f"{head}.{tail}" if separator and ":" in head else stamp)


def _cue(start: int, end: int, said: str, earlier: int) -> Cue | None:
    parts = _WORD.split(unescape(said))
    if len(parts) == 1:
        return Cue(start, end, parts[0].strip()) if parts[0].strip() else None
    times = [start, *(max(start, _moment(stamp) - earlier) for stamp in parts[1::2])]
    words = tidy_words(map(Word, times, parts[::2]))
    text = "".join([word.text for word in words])
    if not text:
        return None
    return Cue(start, end, text, None, words if len(words) > 1 else ())
