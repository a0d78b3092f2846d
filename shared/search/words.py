"""What a word is, in any language: one answer for what is indexed and for what is asked, on every database.

Words are folded (no case, no accents, compatible forms alike), so that a database has nothing to decide and
nothing to install. Scripts that put no spaces between words are indexed character by character, each with
the one that follows, wherever a line ends: any part of a sentence in Chinese or Thai can then be asked for.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

LONGEST = 64  # characters of a word that count

# Marks that any letter may carry, and the vowel signs that Hebrew and Arabic may leave out. Those of Thai or
# Hindi are letters like others, and stay.
_OPTIONAL = re.compile(
    "[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
    "\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670\u06d6-\u06dc\u06df-\u06e8\u06ea-\u06ed]"
)
_UNDIVIDED = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u2fff\u3005-\u3007\u3040-\u312f\u31a0-\u31bf"
    "\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff\U00020000-\U0003ffff]"
)  # Thai, Lao, Tibetan, Burmese, Khmer, Chinese, Japanese; and Korean, whose particles hang on its words
_PLAIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe"})
_ASCII_WORD = re.compile("[a-z0-9]+")


class Unit(NamedTuple):
    """A word, or one character of an undivided script: folded, and where it stands in the text."""

    text: str
    start: int
    end: int
    is_undivided: bool = False


class _Folded(NamedTuple):
    """What a character contributes to a word; `breaks` when it ends one."""

    text: str
    breaks: bool
    is_undivided: bool


def composed(text: str) -> str:
    """The text as `units` takes it: every letter one character with its accent."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def units(text: str) -> list[Unit]:
    """The words of a composed text, in order."""
    if text.isascii():
        return [
            Unit(found[0][:LONGEST], found.start(), found.end())
            for found in _ASCII_WORD.finditer(text.lower())
        ]
    found: list[Unit] = []
    word, start = "", 0
    for place, character in enumerate(text):
        folded = _fold(character)
        if (folded.breaks or folded.is_undivided) and word:
            found.append(Unit(word[:LONGEST], start, place))
            word = ""
        if folded.is_undivided:
            found.append(Unit(folded.text, place, place + 1, True))
        elif not folded.breaks:
            start = start if word else place
            word += folded.text
    if word:
        found.append(Unit(word[:LONGEST], start, len(text)))
    return found


def tokens(found: Sequence[Unit]) -> list[str]:
    """What of each unit goes into an index: an undivided character together with its neighbour."""
    made = [unit.text for unit in found]
    for place in range(len(found) - 1):
        if found[place].is_undivided and found[place + 1].is_undivided:
            made[place] += found[place + 1].text
    return made


def tokens_of(text: str) -> list[str]:
    """The tokens of a composed text; the same as of its units, in half the time where it is ASCII."""
    if text.isascii():
        return [word[:LONGEST] for word in _ASCII_WORD.findall(text.lower())]
    return tokens(units(text))


def title_words(title: str) -> str:
    """A title's tokens between spaces: ` never gonna give `, to be looked through with LIKE."""
    return f" {' '.join(tokens_of(composed(title)))} "


@cache
def _fold(character: str) -> _Folded:
    """There are 1.1 million characters, of which even a strange text has few."""
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    plain = unicodedata.normalize("NFC", _OPTIONAL.sub("", decomposed)).translate(_PLAIN)
    kept = "".join(one for one in plain if unicodedata.category(one)[0] in "LMN")
    category = unicodedata.category(character)
    breaks = not kept and category[0] != "M" and category != "Cf" and character != "\u0640"
    return _Folded(kept, breaks, bool(kept) and _UNDIVIDED.match(kept[0]) is not None)
