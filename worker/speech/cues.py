"""Words become captions that can be read: sentences and pauses divide them, and none is too long. Pure."""

import json
import unicodedata
from collections.abc import Iterable, Iterator

from worker.speech.model import Word

LONGEST = 6.0  # seconds of one cue
WIDEST = 84  # columns of one cue, two rows of 42
PAUSE = 1.0  # seconds of silence that end a cue
BREATH = 0.3  # seconds of silence that a short sentence needs to be one, and not an abbreviation
SHORT = 12  # columns
SENTENCE_ENDS = tuple(".?!…。？！।؟")
CLAUSE_ENDS = (*SENTENCE_ENDS, *",;:、，；：،")
LONGEST_WORD = 2.0  # seconds; a model that lost the thread makes one last as long as it likes


def in_order(words: Iterable[Word], first: float, last: float) -> Iterator[Word]:
    """The same words between `first` and `last`, in seconds, none before the one before it."""
    before = first
    for word in words:
        start = min(max(word.start, before), last)
        end = min(max(word.end, start), start + LONGEST_WORD, last)
        yield Word(start, end, word.text)
        before = start


def divided(words: Iterable[Word]) -> Iterator[list[Word]]:
    """The words of each cue, in order."""
    cue: list[Word] = []
    for word in words:
        if not word.text.strip():
            continue
        if cue and _is_full(cue, word):
            yield cue
            cue = []
        cue.append(word)
    if cue:
        yield cue


def _is_full(cue: list[Word], word: Word) -> bool:
    """Whether the next word begins another cue."""
    last, columns, pause = cue[-1], _width(cue), word.start - cue[-1].end
    if pause >= PAUSE:
        return True
    if last.text.endswith(SENTENCE_ENDS) and (columns >= SHORT or pause >= BREATH):
        return True
    if last.text.endswith(CLAUSE_ENDS) and columns >= WIDEST / 2:
        return True
    return columns + _width([word]) > WIDEST or word.end - cue[0].start > LONGEST


def _width(words: Iterable[Word]) -> int:
    """Columns; Chinese and its neighbours take two a character."""
    return sum(
        2 if unicodedata.east_asian_width(character) in "WF" else 1
        for word in words
        for character in word.text
    )


def json3(words: Iterable[Word], offset: float = 0.0) -> Iterator[str]:
    """A caption file that keeps the time of every word, piece by piece; `offset` in seconds is added."""
    yield '{"events": ['
    between = "\n"
    for cue in divided(words):
        start, end = _moment(cue[0].start + offset), _moment(cue[-1].end + offset)
        texts = [cue[0].text.lstrip(), *(word.text for word in cue[1:])]
        segments = [
            {"utf8": text, "tOffsetMs": _moment(word.start + offset) - start}
            for text, word in zip(texts, cue, strict=True)
        ]
        event = {"tStartMs": start, "dDurationMs": max(1, end - start), "segs": segments}
        yield between + json.dumps(event, ensure_ascii=False)
        between = ",\n"
    yield "\n]}\n"


def _moment(seconds: float) -> int:
    return round(seconds * 1000)
