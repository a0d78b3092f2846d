"""A transcript as it is indexed: in passages of about half a minute, each reaching into the next. Pure.

A cue is no good unit to look for words in: the words of a question, or of one phrase, often stand in two or
three of them. A whole transcript is none either: PostgreSQL keeps no more than 16 383 places of words, and
whoever looks for two words means near each other. So cues are gathered until they have `SIZE` words or a
minute is over; and the first `OVERLAP` words of what follows belong to a passage as well, so that a phrase
across its end is found.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from shared.search.words import composed, tokens_of

SIZE = 60  # words; characters, where words are not divided
OVERLAP = 12
SECONDS = 60.0
LONGEST_CUE = 1000  # characters of a cue that is still text for people; the rest is left out
MOST = 20_000  # passages of one transcript: a hundred hours of speech


class Passage(NamedTuple):
    """A part of a transcript: `cues` with their starts in seconds, and their tokens in order."""

    cues: tuple[tuple[float, str], ...]
    tokens: tuple[str, ...]


class _Counted(NamedTuple):
    start: float
    text: str
    words: int


def passages(cues: Iterable[tuple[float, str]]) -> Iterator[Passage]:
    """The passages of ordered cues, given as start in seconds and text."""
    counted = [_count(start, text) for start, text in cues]
    begin = made = 0
    while begin < len(counted) and made < MOST:
        end = _reach(counted, begin, SIZE)
        beyond = _reach(counted, end, OVERLAP)
        if any(cue.words for cue in counted[begin:end]):
            yield _passage(counted[begin:beyond])
            made += 1
        begin = end


def _count(start: float, text: str) -> _Counted:
    line = composed(" ".join(text[:LONGEST_CUE].split()))
    return _Counted(start, line, len(tokens_of(line)))


def _reach(cues: Sequence[_Counted], begin: int, words: int) -> int:
    """The end of the cues from `begin` that have so many words together, within a minute."""
    end, found = begin, 0
    while end < len(cues) and found < words and cues[end].start - cues[begin].start <= SECONDS:
        found += cues[end].words
        end += 1
    return end


def _passage(cues: Sequence[_Counted]) -> Passage:
    text = "\n".join(cue.text for cue in cues)
    return Passage(tuple((cue.start, cue.text) for cue in cues), tuple(tokens_of(text)))
