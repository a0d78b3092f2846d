"""From a passage that has what was looked for to the moment and the words to show. Pure."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from shared.search.query import Query
from shared.search.words import tokens, units

BEFORE = 40  # characters of a snippet in front of the first word that was looked for
LENGTH = 140  # characters of a snippet
ELLIPSIS = "…"


class Piece(NamedTuple):
    """A part of a snippet; `is_hit` when it is what was looked for."""

    text: str
    is_hit: bool = False


class Moment(NamedTuple):
    """When it is said, in seconds, and the words around it; `language` is that of the transcript."""

    seconds: float
    snippet: tuple[Piece, ...]
    language: str | None = None


class _Hit(NamedTuple):
    start: int
    end: int
    term: int


def moment(query: Query, cues: Sequence[tuple[float, str]], language: str | None = None) -> Moment | None:
    """The first cue of a passage that has the most of what was looked for; None when it has nothing."""
    text = "\n".join(line for _, line in cues)
    hits = _hits(query, text)
    if not hits:
        return None
    begins = list(accumulate((len(line) + 1 for _, line in cues), initial=0))
    found: dict[int, set[int]] = {}
    for hit in hits:
        found.setdefault(bisect_right(begins, hit.start) - 1, set()).add(hit.term)
    best = max(found, key=lambda cue: (len(found[cue]), -cue))
    first = next(hit for hit in hits if hit.start >= begins[best])
    return Moment(cues[best][0], _snippet(text, hits, first), language)


def _hits(query: Query, text: str) -> list[_Hit]:
    """Where the terms stand in a composed text, in order."""
    found = units(text)
    made = tokens(found)
    hits = []
    for number, term in enumerate(query.terms):
        for place in term.places(made):
            last = place + len(term.tokens) - 1
            last += term.reaches_on and last + 1 < len(found)
            hits.append(_Hit(found[place].start, found[last].end, number))
    return sorted(hits)


def _snippet(text: str, hits: Sequence[_Hit], first: _Hit) -> tuple[Piece, ...]:
    begin = max(0, first.start - BEFORE)
    end = min(len(text), max(begin + LENGTH, first.end))
    if begin and (space := _space(text, begin, first.start)) >= 0:
        begin = space + 1
    if end < len(text) and (space := _space(text[::-1], len(text) - end, len(text) - first.end)) >= 0:
        end = len(text) - space - 1
    pieces = _pieces(text, hits, begin, end)
    before = [Piece(ELLIPSIS)] if begin else []
    after = [Piece(ELLIPSIS)] if end < len(text) else []
    return (*before, *pieces, *after)


def _space(text: str, start: int, end: int) -> int:
    """The first place between words; -1 where there is none, as in Chinese."""
    found = (place for place in range(start, end) if text[place].isspace())
    return next(found, -1)


def _pieces(text: str, hits: Sequence[_Hit], begin: int, end: int) -> list[Piece]:
    pieces = []
    at = begin
    for hit in hits:
        start, stop = max(at, hit.start), min(end, hit.end)
        if start < stop:
            pieces += [Piece(text[at:start])] if at < start else []
            pieces.append(Piece(text[start:stop], True))
            at = stop
    pieces += [Piece(text[at:end])] if at < end else []
    return [Piece(piece.text.replace("\n", " "), piece.is_hit) for piece in pieces]
