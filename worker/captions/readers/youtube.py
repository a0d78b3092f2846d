"""YouTube's own formats: json3 and srv1 to srv3. Times are milliseconds; srv1 alone counts seconds.

Automatic captions carry a time for every word here, and every line once: json3 is the best source.
"""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

from worker.captions.cues import MAX_CUES, READABLE, Cue, ReadResult
from worker.captions.decode import clean
from worker.captions.markup import LATEST, gather, rows, strip_tags, timed_cue, unescape
from worker.captions.readers.xml import Attributes, Block, read_blocks

_EVENTS = re.compile(r'"events"\s*:\s*\[')
_SEPARATOR = re.compile(r"[\s,]*")


def read_json3(text: str) -> ReadResult:
    """json3; of a file that was cut off, the events before the cut."""
    events, skipped = _events(text)
    cues = []
    for event in events[:MAX_CUES]:
        try:
            cue = _event_cue(event)
        except (TypeError, ValueError, KeyError, AttributeError, OverflowError):
            skipped += 1
            continue
        if cue:
            cues.append(cue)
    return ReadResult(cues, skipped + max(0, len(events) - MAX_CUES))


def _events(text: str) -> tuple[list[Any], int]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return list(_whole_events(text)), 1
    events = document.get("events") if isinstance(document, dict) else None
    return (events, 0) if isinstance(events, list) else ([], 1)


def _whole_events(text: str) -> Iterator[Any]:
    """The events of a broken document, one by one until the first that does not parse."""
    opening = _EVENTS.search(text)
    decoder = json.JSONDecoder()
    position = opening.end() if opening else len(text)
    while position < len(text):
        separator = _SEPARATOR.match(text, position)
        try:
            event, position = decoder.raw_decode(text, separator.end() if separator else position)
        except (ValueError, RecursionError):
            return
        yield event


def _event_cue(event: dict[str, Any]) -> Cue | None:
    segments = event.get("segs")
    if not segments:  # events without text set up windows and pens
        return None
    start = _moment(event["tStartMs"])
    end = start + _moment(event.get("dDurationMs", READABLE))
    pieces = [
        (start + _moment(segment.get("tOffsetMs", 0)), clean(segment.get("utf8") or ""))
        for segment in segments
    ]
    return timed_cue(start, end, *gather(pieces))


def _moment(value: Any, scale: int = 1) -> int:
    moment = round(float(value) * scale)
    if not 0 <= moment <= LATEST:
        raise ValueError(f"no time in a video: {value!r}")
    return moment


def read_srv1(text: str) -> ReadResult:
    """srv1: `<text start="1.5" dur="2">`, escaped twice."""
    return _read_xml(text, "text", lambda block: _plain_cue(block, "start", "dur", 1000))


def read_srv2(text: str) -> ReadResult:
    """srv2: `<text t="1500" d="2000">`."""
    return _read_xml(text, "text", lambda block: _plain_cue(block, "t", "d", 1))


def read_srv3(text: str) -> ReadResult:
    """srv3: `<p t="1500" d="2000"><s>word</s><s t="300"> word</s></p>`."""
    return _read_xml(text, "p", _srv3_cue)


def _read_xml(text: str, name: str, to_cue: Callable[[Block], Cue | None]) -> ReadResult:
    blocks, skipped = read_blocks(text, frozenset([name]))
    cues = []
    for block in blocks:
        try:
            cue = to_cue(block)
        except (ValueError, KeyError, OverflowError):
            skipped += 1
            continue
        if cue:
            cues.append(cue)
    return ReadResult(cues, skipped)


def _said(text: str) -> str:
    return unescape(strip_tags(unescape(text.replace("\u2028", "\n"))))


def _plain_cue(block: Block, start_name: str, length_name: str, scale: int) -> Cue | None:
    start, end = _span(block.attributes, start_name, length_name, scale)
    text = rows(_said("".join([text for _, text in block.pieces])))
    return Cue(start, end, text) if text else None


def _srv3_cue(block: Block) -> Cue | None:
    start, end = _span(block.attributes, "t", "d", 1)
    pieces = []
    at = start
    for inner, text in block.pieces:
        if "t" in inner:  # text without a time goes with the word before it
            at = start + _moment(inner["t"])
        pieces.append((at, _said(text)))
    return timed_cue(start, end, *gather(pieces))


def _span(attributes: Attributes, start_name: str, length_name: str, scale: int) -> tuple[int, int]:
    start = _moment(attributes[start_name], scale)
    length = attributes.get(length_name)
    return start, start + (_moment(length, scale) if length else READABLE)
