"""The sentences of a transcript and where each stands, so that a translation finds back to its cues. Pure.

What ends a sentence, what belongs between two pieces and what a pause is says `prose`, as for paragraphs.
"""

import json
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from worker.captions.cues import Cue, Transcript, without_overlap
from worker.captions.prose import (
    ENOUGH,
    PAUSE,
    SENTENCE_MARK,
    ends_sentence,
    glue,
    opens_line,
    spoken_until,
)
from worker.captions.writers import one_line, safe_rows

_MARK = re.compile(SENTENCE_MARK)
_WIDE = "。！？｡"  # marks that need no space after them
# "Mr." and "J." end none. What is taken for one by mistake ("Ltd.") only makes a longer sentence.
_ABBREVIATION = re.compile(r"(?:^|\W)[A-ZÀ-Þ][bcdfghj-np-tv-xz]{0,2}\.\Z")


class Piece(NamedTuple):
    """The part of a sentence that one cue shows; `cue` is its index."""

    cue: int
    text: str


class Sentence(NamedTuple):
    """Text to translate in one go: a sentence, or what comes nearest where nobody wrote full stops."""

    text: str
    pieces: tuple[Piece, ...]


def sentences(cues: Sequence[Cue]) -> Iterator[Sentence]:
    """What is said in ordered cues that do not overlap, in sentences of at most two times `ENOUGH` letters.

    A sentence also ends at a pause, at another speaker, where a row opens a line, and when it gets too long.
    """
    pieces: list[Piece] = []
    length = silent_from = 0
    speaker: str | None = None
    for index, cue in enumerate(cues):
        if pieces and (cue.start - silent_from >= PAUSE or cue.speaker != speaker):
            yield _sentence(pieces)
            pieces, length = [], 0
        for row in safe_rows(cue.text).split("\n"):
            if pieces and opens_line(row):
                yield _sentence(pieces)
                pieces, length = [], 0
            for part in _parts(row):
                pieces.append(Piece(index, part))
                length += len(part)
                if length >= ENOUGH or _ends(part):
                    yield _sentence(pieces)
                    pieces, length = [], 0
        silent_from, speaker = spoken_until(cue), cue.speaker
    if pieces:
        yield _sentence(pieces)


def _sentence(pieces: list[Piece]) -> Sentence:
    text = ""
    for piece in pieces:
        text += glue(text, piece.text) + piece.text
    return Sentence(text, tuple(pieces))


def _parts(row: str) -> Iterator[str]:
    """A row cut where its sentences end, and wherever a part would get longer than any sentence."""
    start = 0
    for end in (*_inner_ends(row), len(row)):
        part, start = row[start:end].strip(), end
        while len(part) > ENOUGH:
            at = part.rfind(" ", 1, ENOUGH)
            at = ENOUGH if at < 0 else at
            yield part[:at].rstrip()
            part = part[at:].lstrip()
        if part:
            yield part


def _inner_ends(row: str) -> Iterator[int]:
    """Where sentences end inside a row: a space follows, where the script has any, and no small letter."""
    for match in _MARK.finditer(row):
        end = match.end()
        following = row[end : end + 3].lstrip()
        is_apart = row[end : end + 1].isspace() or match.group()[0] in _WIDE
        if following and is_apart and not following[0].islower() and _ends(row[:end]):
            yield end


def _ends(text: str) -> bool:
    return ends_sentence(text) and _ABBREVIATION.search(text[-8:]) is None


def write_sentences(transcript: Transcript) -> str:
    """What there is to translate, each text once, as a JSON array; chapter titles come last."""
    found = [sentence.text for sentence in sentences(without_overlap(transcript.cues))]
    found += [one_line(chapter.title) for chapter in transcript.chapters]
    texts = dict.fromkeys(text for text in found if any(map(str.isalpha, text)))
    return json.dumps(list(texts), ensure_ascii=False)
