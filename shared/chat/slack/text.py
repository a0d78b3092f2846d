"""Words of strangers as Slack takes them: escaped, on one line, and cut to Slack's limits. Pure.

Slack reads `<...>` as a link, a mention or a command such as `<!channel>`, also in texts that show no
formatting; whatever is written by somebody else goes through `escape`. Limits count characters; a character
that takes two UTF-16 units counts as two here, because nobody says which of the two Slack counts.
"""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote, urlsplit

from shared.words import utc_words

ELLIPSIS = "…"
MOST_BLANKS = 20  # characters that are looked at for each that is shown
MAX_URL = 3000  # characters of an address in a button or a picture

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_KEPT_FORMATS = "\u200c\u200d"  # they shape Persian words and join emoji
_URL_SAFE = "!#$%&'()*+,/:;=?@[]~"  # all but what ends a link in Slack: `<`, `>`, `|` and spaces


def escape(text: str) -> str:
    """The text as Slack has to be sent it, so that it shows literally: nothing in it pings or links."""
    return "".join(_ENTITIES.get(char, char) for char in text)


def one_line(text: str) -> str:
    """The text without line breaks, control characters and what turns its direction; not escaped."""
    if text.isprintable():
        return " ".join(text.split())
    kept = (
        char
        if char.isprintable() or char in _KEPT_FORMATS
        else ("" if unicodedata.category(char) == "Cf" else " ")
        for char in text
    )
    return " ".join("".join(kept).split()).strip(_KEPT_FORMATS)


def length(text: str) -> int:
    """How long Slack may find a text that is sent to it so."""
    return sum(_cost(char) for char in text)


def cut(text: str, limit: int) -> str:
    """The text, escaped, in at most `limit` characters: no entity is broken, and a cut is shown by `…`."""
    if len(text) * 5 <= limit:  # even if every character became an entity
        return escape(text)
    escaped: list[str] = []
    room, fits = limit, 0
    for char in text:
        piece = _ENTITIES.get(char, char)
        room -= length(piece)
        if room < 0:
            return "".join(escaped[:fits]).rstrip() + ELLIPSIS
        escaped.append(piece)
        if room >= 1 and char not in _KEPT_FORMATS and not unicodedata.combining(char):
            fits = len(escaped)
    return "".join(escaped)


def foreign(text: str, limit: int) -> str:
    """A title, a name or a sentence of somebody else: on one line, escaped and cut."""
    return cut(one_line(text[: limit * MOST_BLANKS]), limit)


def link(url: str, label: str) -> str:
    """The label, leading to the address; the label alone where the address is none for a browser."""
    shown = escape(one_line(label))
    if urlsplit(url).scheme not in ("http", "https") or not shown:
        return shown
    address = escape(quote(url, safe=_URL_SAFE))
    return f"<{address}|{shown}>" if length(address) <= MAX_URL else shown


def moment(when: datetime) -> str:
    """A time as everybody's own clock shows it."""
    return f"<!date^{int(when.timestamp())}^{{date_short_pretty}}, {{time}}|{utc_words(when)}>"


def fitting(lines: Iterable[str], limit: int) -> str:
    """Whole lines, already escaped, in at most `limit` characters; how many more there are is said."""
    kept = list(lines)
    total = len(kept)
    room = limit - len(f"\n{ELLIPSIS}and {total} more")
    for number, line in enumerate(kept):
        room -= length(line) + 1
        if room < 0:
            return "\n".join([*kept[:number], f"{ELLIPSIS}and {total - number} more"])
    return "\n".join(kept)


def _cost(char: str) -> int:
    return 2 if ord(char) > 0xFFFF else 1
