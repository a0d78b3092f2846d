"""A translation timed back onto the cues it was said in, and slow enough to be read. Pure.

Words have no times of their own any more: their order is another one in another language.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from itertools import accumulate

from worker.captions.cues import Cue, without_overlap
from worker.captions.prose import PAUSE, glue, opens_line
from worker.captions.sentences import sentences
from worker.captions.writers import one_line

FASTEST = 20  # characters a second that people can read
LONGEST = 120  # characters; no two cues become one that is longer
_LEADING = "เแโใไເແໂໃໄ"  # vowels of Thai and Lao that are written before their letter
_TRAILING = "ะาำๅๆฯະາຳໆ"  # and what stands behind it without being a mark
_SPACE = re.compile(r"(?<=\s)(?=\S)")


def retimed(cues: Sequence[Cue], translations: Mapping[str, str]) -> list[Cue]:
    """The cues with each sentence's translation; a sentence that has none stays as it is.

    They are ordered, do not overlap, and stay within the time between the first and the last of `cues`.
    """
    cues = without_overlap(cues)
    texts = [""] * len(cues)
    for sentence in sentences(cues):
        text = one_line(translations.get(sentence.text) or "") or sentence.text
        shares = apportion(text, [len(piece.text) for piece in sentence.pieces])
        for piece, share in zip(sentence.pieces, shares, strict=True):
            texts[piece.cue] = _join(texts[piece.cue], share)
    return readable(
        _filled([cue._replace(text=text, words=()) for cue, text in zip(cues, texts, strict=True)])
    )


def apportion(text: str, weights: Sequence[int]) -> list[str]:
    """The text in as many parts as there are weights, each about as large as its weight, words kept whole.

    The first part is never empty; later ones are when there are fewer words than parts.
    """
    total, places = sum(weights), _places(text)
    parts, start, at = [], 0, 0
    for weight in list(accumulate(weights))[:-1]:
        aim = len(text) * weight / total
        while at + 1 < len(places) and abs(places[at + 1] - aim) <= abs(places[at] - aim):
            at += 1
        parts.append(text[start : places[at]].strip())
        start = places[at]
    return [*parts, text[start:].strip()]


def _places(text: str) -> list[int]:
    """Where the text may be cut, in order; its end is the last of them."""
    spaces = {match.start() for match in _SPACE.finditer(text)}
    if not text.isascii():
        spaces |= {at for at in range(1, len(text)) if _can_part(text[at - 1], text[at])}
    return [*sorted(spaces - {0}), len(text)]


def _can_part(left: str, right: str) -> bool:
    """Whether a line may end between two letters: in scripts without spaces, but never before a mark."""
    if left.isspace() or left in _LEADING or right in _TRAILING or glue(left, right):
        return False
    opening = ("Ps", "Pi")
    is_start = unicodedata.category(right)[0] == "L" or unicodedata.category(right) in opening
    return is_start and unicodedata.category(left) not in opening


def _join(text: str, more: str) -> str:
    return text + ("\n" if text and opens_line(more) else glue(text, more)) + more


def _filled(cues: Sequence[Cue]) -> list[Cue]:
    """Without the cues that got no text; the one before stays in their place."""
    result: list[Cue] = []
    for cue in cues:
        if cue.text:
            result.append(cue)
        elif result and cue.start - result[-1].end < PAUSE:
            result[-1] = result[-1]._replace(end=cue.end)
    return result


def readable(cues: Sequence[Cue]) -> list[Cue]:
    """Cues that stay long enough to be read: into the gap after them, else together with a slow neighbour."""
    result: list[Cue] = []
    for index, cue in enumerate(cues):
        until = cues[index + 1].start if index + 1 < len(cues) else cue.end
        cue = _extended(cue, until)
        while result and _should_merge(result[-1], cue):
            before = result.pop()
            cue = cue._replace(start=before.start, text=_join(before.text, cue.text))
            cue = _extended(cue, until)
        result.append(cue)
    return result


def _extended(cue: Cue, until: int) -> Cue:
    """The cue with as much of the time up to `until` as its text needs, in milliseconds."""
    enough = cue.start + -(-len(cue.text) * 1000 // FASTEST)
    return cue._replace(end=max(cue.end, min(enough, until)))


def _should_merge(one: Cue, two: Cue) -> bool:
    """Whether one of two neighbours is too fast, and the other has time to spare."""
    if one.end < two.start or one.speaker != two.speaker or len(one.text) + len(two.text) > LONGEST:
        return False
    return min(_speed(one), _speed(two)) <= FASTEST < max(_speed(one), _speed(two))


def _speed(cue: Cue) -> float:
    """Characters a second."""
    return len(cue.text) * 1000 / (cue.end - cue.start)
