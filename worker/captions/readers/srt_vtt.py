"""WebVTT and SubRip. One reader: files in the wild mix the two.

The whole file is cut at its timing lines with one regular expression that starts at a newline, which the
engine finds fastest; what lies between two timing lines is a cue's payload.
"""

import re

from worker.captions.cues import MAX_CUES, MAX_TEXT, Cue, ReadResult
from worker.captions.markup import LATEST, clocks, marked_cue

_TIME = r"((?:[0-9]{1,4}:)?[0-9]{1,3}:[0-9]{1,2}(?:[.,][0-9]{1,3})?)[0-9]{0,6}"
_TIMING = re.compile(rf"\n[ \t]*{_TIME}[ \t]*-{{1,3}}>[ \t]*{_TIME}(?:[ \t][^\n]*)?(?=\n|\Z)")
_OVERRIDE = re.compile(r"\{\\[^{}]{0,500}\}")  # positions and styles that SubRip took over from ASS
_DIGIT = re.compile("[0-9]")
_NEXT_NUMBER = re.compile(r"(?:\A|\n)[ \t]*[0-9]{1,9}[ \t]*\Z")


def read_vtt(text: str) -> ReadResult:
    """WebVTT: header, regions, styles, notes, identifiers and settings are left out."""
    # The plain class tag of automatic captions is a third of their file: gone in one go, before anything.
    return _read(text.replace("<c>", "").replace("</c>", ""), after_blank=False)


def read_srt(text: str) -> ReadResult:
    """SubRip, with or without numbers; a blank line inside a cue does not lose what follows it."""
    return _read(_OVERRIDE.sub("", text) if "{\\" in text else text, after_blank=True)


def _read(text: str, *, after_blank: bool) -> ReadResult:
    text = "\n" + text.rstrip()
    parts = _TIMING.split(text, MAX_CUES)
    payloads = parts[3::3]
    skipped = 0
    if text.count("-->") > len(payloads):
        arrows = sum("-->" in line and _DIGIT.search(line) is not None for line in text.split("\n"))
        skipped = max(0, arrows - len(payloads))
    if len(payloads) == MAX_CUES:
        payloads[-1] = "\n" + _first_block(payloads[-1])  # the rest of the file hangs on it
    cues: list[Cue] = []
    last = len(payloads) - 1
    timed = zip(clocks(parts[1::3]), clocks(parts[2::3]), payloads, strict=True)
    for index, (start, end, payload) in enumerate(timed):
        if start > LATEST or end > LATEST:
            skipped += 1
            continue
        if len(payload) > MAX_TEXT:
            payload = payload[:MAX_TEXT]
            skipped += 1
        if index < last and payload[-1:].isdigit():  # the next cue's number stands right above its times
            payload = _NEXT_NUMBER.sub("", payload)
        cue = marked_cue(start, end, payload if after_blank else _first_block(payload))
        if cue:
            cues.append(cue)
    return ReadResult(cues, skipped)


def _first_block(payload: str) -> str:
    """What stands before the first empty line; a line with a space in it is a row of the cue."""
    return payload[1:].partition("\n\n")[0] if payload[1:2] != "\n" else ""
