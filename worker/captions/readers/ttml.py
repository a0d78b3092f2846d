"""TTML and its older name DFXP, as broadcasters deliver it."""

import re

from worker.captions.cues import READABLE, Cue, ReadResult, Word
from worker.captions.markup import LATEST, gather, milliseconds, rows, tidy_words
from worker.captions.readers.xml import Attributes, Block, read_blocks

_CLOCK = re.compile(
    r"([0-9]{1,4}):([0-9]{1,2}):([0-9]{1,2})(?:\.([0-9]{1,9})|:([0-9]{1,3})(?:\.[0-9]{1,3})?)?"
)
_OFFSET = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)(ms|h|m|s|f|t)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_LAYOUT = re.compile(r"[ \t\n]+")


class _Rates:
    """How many frames and ticks a second of this file has, and who its agents are."""

    def __init__(self) -> None:
        self.frames = 30.0
        self.ticks = 1.0
        self.multiplier = 1.0

    def on_start(self, name: str, attributes: Attributes) -> None:
        if name != "tt":
            return
        self.frames = _positive(attributes.get("frameRate"), 30.0)
        numbers = attributes.get("frameRateMultiplier", "").replace(":", " ").split()
        if len(numbers) == 2:
            self.frames *= _positive(numbers[0], 1.0) / _positive(numbers[1], 1.0)
        default = self.frames if "frameRate" in attributes else 1.0
        self.ticks = _positive(attributes.get("tickRate"), default)

    def moment(self, expression: str) -> int:
        """A time expression in milliseconds. Raises ValueError when it is none."""
        expression = expression.strip()
        if found := _CLOCK.fullmatch(expression):
            hours, minutes, seconds, fraction, frames = found.groups()
            moment = milliseconds(hours, minutes, seconds, fraction)
            moment += round(int(frames) * 1000 / self.frames) if frames else 0
        elif found := _OFFSET.fullmatch(expression):
            unit = found[2]
            rate = {"f": self.frames, "t": self.ticks}.get(unit)
            seconds_each = 1 / rate if rate else _SECONDS[unit]
            moment = round(float(found[1]) * seconds_each * 1000)
        else:
            raise ValueError(f"not a time: {expression[:40]!r}")
        if moment > LATEST:
            raise ValueError(f"later than any video: {expression[:40]!r}")
        return moment


def _positive(number: str | None, default: float) -> float:
    try:
        value = float(number or "")
    except ValueError:
        return default
    return value if 0 < value < 1e12 else default


def read_ttml(text: str) -> ReadResult:
    """TTML with clock, offset, frame and tick times, nested times, and timed spans as words."""
    rates = _Rates()
    blocks, skipped = read_blocks(text, frozenset(["p"]), rates.on_start)
    cues = []
    for block in blocks:
        try:
            cue = _cue(block, rates)
        except ValueError:
            skipped += 1
            continue
        if cue:
            cues.append(cue)
    return ReadResult(cues, skipped)


def _cue(block: Block, rates: _Rates) -> Cue | None:
    offset = sum(rates.moment(outer["begin"]) for outer in block.around if "begin" in outer)
    words = _words(block, rates)
    text = "".join([word.text for word in words])
    if not text:
        return None
    span_times = [rates.moment(inner["begin"]) for inner, _ in block.pieces if "begin" in inner]
    if "begin" in block.attributes:
        start = rates.moment(block.attributes["begin"])
        timed = tuple(Word(offset + start + at, said) for at, said in words)
    elif span_times:
        start = min(span_times)
        timed = tuple(Word(offset + at, said) for at, said in words)
    else:
        raise ValueError("a paragraph without a time")
    end = _end(block, start, rates)
    if not span_times or len(timed) < 2:
        return Cue(offset + start, offset + end, rows(text))
    return Cue(offset + start, offset + end, text, None, timed)


def _end(block: Block, start: int, rates: _Rates) -> int:
    if "end" in block.attributes:
        return rates.moment(block.attributes["end"])
    if "dur" in block.attributes:
        return start + rates.moment(block.attributes["dur"])
    ends = [rates.moment(inner["end"]) for inner, _ in block.pieces if "end" in inner]
    base = start if "begin" in block.attributes else 0
    return base + max(ends) if ends else start + READABLE


def _words(block: Block, rates: _Rates) -> tuple[Word, ...]:
    """The pieces with times relative to the paragraph; untimed text goes with the piece before it."""
    pieces = []
    at = 0
    for inner, text in block.pieces:
        said = _LAYOUT.sub(" ", text).replace("\u2028", "\n")
        if "begin" in inner:
            at = rates.moment(inner["begin"])
        pieces.append((at, said))
    return tidy_words(map(Word, *gather(pieces)))
