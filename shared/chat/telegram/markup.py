"""Texts as Telegram takes them: HTML, counted in UTF-16 units after its entities are parsed. Pure."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

MAX_TEXT = 4096  # UTF-16 units of a message
MAX_CAPTION = 1024  # UTF-16 units under a file
SHORTEST = 16  # UTF-16 units that a line keeps, before lines are dropped instead

# What turns the direction of all that follows it, also of our own words.
_TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A)))
_MENTION = re.compile(r"(?<!\w)@(?=\w)")
_JOINERS = "\u200d\u2060"


@dataclass(frozen=True)
class Line:
    """One line of a message: plain text, and the HTML tag around all of it.

    `is_long`: words of somebody else, which are cut when the message would be too long.
    """

    text: str
    tag: str = ""
    is_long: bool = False


def units(text: str) -> int:
    """UTF-16 units, which are what Telegram counts."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, most: int) -> str:
    """The text in at most so many UTF-16 units, with an ellipsis where something is missing."""
    if units(text) <= most:
        return text
    kept = text.encode("utf-16-le", "surrogatepass")[: 2 * (most - 1)].decode("utf-16-le", "ignore")
    return kept.rstrip().rstrip(_JOINERS) + "…"


def clean(text: str) -> str:
    """Words of somebody else on one line: nothing that commands a screen, nobody is mentioned by them."""
    kept = "".join(" " if unicodedata.category(char) in ("Cc", "Cs") else char for char in text)
    return _MENTION.sub("@\u2060", " ".join(kept.translate(_TURNING).split()))


def fits(lines: Sequence[Line], limit: int) -> bool:
    """Whether nothing has to be cut for this limit, in UTF-16 units."""
    return units("\n".join(line.text for line in lines)) <= limit


def compose(lines: Sequence[Line], limit: int) -> str:
    """The lines as HTML, empty ones left out; at most `limit` UTF-16 units are seen.

    Long lines are cut first, all to the same length. Where that is not enough, the last lines are left out.
    """
    kept = [line for line in lines if line.text]
    while kept and (cap := _cap(kept, limit)) is None:
        kept.pop()
    cut_ones = [replace(line, text=cut(line.text, cap or 0)) if line.is_long else line for line in kept]
    return "\n".join(map(_html, cut_ones))


def _cap(lines: Sequence[Line], limit: int) -> int | None:
    """The most UTF-16 units that long lines may have; None when the lines cannot fit."""
    sizes = [units(line.text) for line in lines if line.is_long]
    fixed = sum(units(line.text) for line in lines if not line.is_long) + len(lines) - 1
    caps = range(limit, SHORTEST - 1, -1)
    return next((cap for cap in caps if fixed + sum(min(size, cap) for size in sizes) <= limit), None)


def _html(line: Line) -> str:
    text = escape(line.text, quote=False)
    return f"<{line.tag}>{text}</{line.tag.partition(' ')[0]}>" if line.tag else text
