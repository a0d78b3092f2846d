"""Advanced SubStation Alpha and SSA: the dialogue lines, their speakers and karaoke times.

Read here and not by ffmpeg, which needs a process, loses the speaker's name and stops at a broken line.
"""

import re

from worker.captions.cues import MAX_CUES, Cue, ReadResult
from worker.captions.markup import gather, milliseconds, timed_cue

_TIME = re.compile(r"[ \t]*([0-9]{1,3}):([0-9]{1,2}):([0-9]{1,2})[.:,]([0-9]{1,3})[ \t]*")
_OVERRIDE = re.compile(r"\{([^{}]{0,2000})\}")
_KARAOKE = re.compile(r"\\[kK][fot]?([0-9]{1,6})")
_DRAWING = re.compile(r"\\p([0-9])")
_COLUMNS = ["layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text"]


def read_ass(text: str) -> ReadResult:
    """The `Dialogue:` lines; comments and drawings are left out."""
    columns = _COLUMNS
    in_events = False
    cues: list[Cue] = []
    skipped = 0
    for line in text.split("\n"):
        if line.startswith("["):
            in_events = line.strip().lower() == "[events]"
        elif in_events and line.startswith("Format:"):
            named = [column.strip().lower() for column in line[7:].split(",")]
            columns = named if {"start", "end", "text"} <= set(named) else _COLUMNS
        elif line.startswith("Dialogue:"):
            try:
                cue = _cue(line[9:], columns)
            except ValueError:
                skipped += 1
                continue
            if cue:
                cues.append(cue)
            if len(cues) >= MAX_CUES:
                return ReadResult(cues, skipped + 1)
    return ReadResult(cues, skipped)


def _cue(line: str, columns: list[str]) -> Cue | None:
    fields = dict(zip(columns, line.split(",", len(columns) - 1), strict=True))
    start, end = _moment(fields["start"]), _moment(fields["end"])
    speaker = (fields.get("name") or fields.get("actor") or "").strip() or None
    return timed_cue(start, end, *gather(_pieces(start, fields["text"])), speaker)


def _moment(stamp: str) -> int:
    found = _TIME.fullmatch(stamp)
    if not found:
        raise ValueError(f"not a time: {stamp[:40]!r}")
    return milliseconds(*found.groups())


def _pieces(start: int, text: str) -> list[tuple[int, str]]:
    """The text in pieces with times: a karaoke tag's number is how long the piece is sung, in 10 ms."""
    pieces = []
    at = following = start
    drawing = False
    parts = _OVERRIDE.split(text)
    for index, part in enumerate(parts):
        if index % 2:
            if found := _DRAWING.search(part):
                drawing = found[1] != "0"
            for lasts in _KARAOKE.findall(part):
                at = following
                following += int(lasts) * 10
        elif not drawing:
            said = part.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
            pieces.append((at, said))
    return pieces
