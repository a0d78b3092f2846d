"""Finds the links in a chat message, and the words around them.

Chats decorate links: a full stop after them, brackets around them, Slack's `<https://…|label>`.
"""

import re
from dataclasses import dataclass

# A link ends before these wherever they stand; the wide ones end a sentence in Chinese and Japanese.
_ENDS = r"\s<>\"`，。、！？；：「」『』《》“”«»"
# These end a sentence when they stand last; the invisible ones are left behind by phone keyboards.
_TRAILING = ".,;:!?'*…’\u200b\u200c\u200d\u200e\u200f\u202c\u2060\u2069\ufeff"
_BRACKETS = {")": "(", "]": "[", "}": "{"}
_LONGEST_TRIMMED = 4096  # what is longer is refused anyway

_LINK = re.compile(
    rf"<(?P<slack>https?://[^|<>\s]+)(?:\|[^<>]*)?>|(?<![a-z0-9+.-])(?P<plain>https?://[^{_ENDS}]+)",
    re.IGNORECASE,
)
_WITHOUT_SCHEME = re.compile(r"(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,63}/\S+", re.IGNORECASE)
_OTHER_SCHEME = re.compile(
    r"[a-z][a-z0-9+.-]{0,30}://\S+|(?:javascript|vbscript|data|file|blob|magnet):\S+", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Scan:
    """A message taken apart: the links as they were written, in order, and the words that are none."""

    links: tuple[str, ...]
    words: tuple[str, ...]


def scan(text: str) -> Scan:
    """Take `text` apart. Without any http link, `youtu.be/x` and `ftp://x` count as links too.

    Nothing is validated: that is `shared.link.parse_link`, which says in words what is wrong with `ftp:`.
    """
    links: list[str] = []
    rest: list[str] = []
    position = 0
    for match in _LINK.finditer(text):
        rest.append(text[position : match.start()])
        position = match.end()
        slack = match["slack"]
        links.append(_unescape(slack) if slack else _trim(match["plain"]))
    rest.append(text[position:])
    words = " ".join(rest).split()
    if not links:
        links = [_with_scheme(word) for word in words if _is_almost_a_link(word)]
        words = [word for word in words if not _is_almost_a_link(word)]
    return Scan(tuple(dict.fromkeys(links)), tuple(words))


def _unescape(link: str) -> str:
    """Slack escapes these three, and only these, inside its angle brackets."""
    return link.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _trim(link: str) -> str:
    """Cut what the sentence around the link has added; brackets that belong to the link are balanced."""
    while link and len(link) <= _LONGEST_TRIMMED:
        last = link[-1]
        opening = _BRACKETS.get(last)
        if last not in _TRAILING and (opening is None or link.count(opening) >= link.count(last)):
            break
        link = link[:-1]
    return link


def _is_almost_a_link(word: str) -> bool:
    return bool(_WITHOUT_SCHEME.match(word) or _OTHER_SCHEME.match(word))


def _with_scheme(word: str) -> str:
    return _trim(word if _OTHER_SCHEME.match(word) else f"https://{word}")
