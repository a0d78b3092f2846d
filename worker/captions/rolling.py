"""Rolling captions: files in which every line is shown two or three times while it moves up the screen.

Whether a file rolls is decided by what is in it. The label "automatic" only lowers the bar: a song whose
lines repeat on purpose must keep them, and a rolling file somebody uploaded by hand must still be repaired.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from worker.captions.cues import Cue, Word, ordered, without_overlap

GHOST = 60  # ms; nobody can read so short a cue: it is a step of the rolling, not a caption
MOST_ROWS = 8  # no screen shows more, and comparing more would make a hostile file slow
NEAR = 1000  # ms; cues further apart are not one rolling screen
SAMPLE = 4000  # pairs of cues that decide for the whole file


@dataclass(slots=True)
class Evidence:
    """What neighbouring cues have to do with each other, counted."""

    pairs: int = 0
    ghosts: int = 0
    rolls: int = 0
    holds: int = 0
    grows: int = 0
    moved: set[str] = field(default_factory=set)

    def rolling(self, *, automatic: bool) -> bool:
        """True when lines repeat because they roll, and not because they are said again."""
        # In a song the same few lines repeat; on a rolling screen nearly each repeated line is another.
        varied = len(self.moved) * 2 >= self.rolls + self.holds
        rolls = self.rolls if varied else 0
        if automatic:
            doubled = varied and self.holds >= max(2, self.pairs * 0.45)  # a blues repeats each third line
            return doubled or self.ghosts + rolls >= max(1, self.pairs * 0.2)
        return self.ghosts >= max(2, self.pairs * 0.25) or rolls >= max(4, self.pairs * 0.6)

    def growing(self, *, automatic: bool) -> bool:
        """True when cues show a line again with more words in it, as live captions do."""
        share = 0.3 if automatic else 0.6
        return self.grows >= max(3, self.pairs * share)


def repair(cues: Sequence[Cue], *, automatic: bool) -> list[Cue]:
    """Each word once, at its right time, in ordered cues.

    Rolling and automatic captions also come back without overlaps. Hand-made captions that do not roll
    stay as they are: two people may speak at once, and lines may repeat.
    """
    cues = ordered(cues)
    evidence = gather(cues[: SAMPLE + 1])
    grows = evidence.growing(automatic=automatic)
    if grows or evidence.rolling(automatic=automatic):
        return without_overlap(_unroll(cues, grows))
    return without_overlap(cues) if automatic else cues


def gather(cues: Sequence[Cue]) -> Evidence:
    """Count what ordered neighbouring cues show of each other."""
    evidence = Evidence()
    for one, two in pairwise(cues):
        evidence.pairs += 1
        if two.start - one.end > NEAR:
            continue
        before, now = one.text.split("\n"), two.text.split("\n")
        kept = _kept(before, now)
        if kept == len(now):
            if two.end - two.start <= GHOST:
                evidence.ghosts += 1
            else:
                evidence.holds += 1
            evidence.moved.add(now[-1])
        elif kept:
            evidence.rolls += 1
            evidence.moved.add(now[kept - 1])
        elif _kept(before, now, grows=True):
            evidence.grows += 1
    return evidence


def _kept(before: list[str], now: list[str], *, grows: bool = False) -> int:
    """How many of the first rows now are the last rows of before; with `grows` the last may be longer."""
    if before == now and len(now) == 1:  # the most frequent case by far, decided without slices
        return 1
    for count in range(min(len(before), len(now), MOST_ROWS), 0, -1):
        if before[-count:] == now[:count]:
            return count
        if grows and before[-count:-1] == now[: count - 1] and now[count - 1].startswith(before[-1]):
            return count
    return 0


def _unroll(cues: Sequence[Cue], grows: bool) -> list[Cue]:
    result: list[Cue] = []
    screen: list[str] = []
    shown_until = -NEAR
    for cue in cues:
        rows = cue.text.split("\n")
        kept = _old_rows(screen, rows, cue, cue.start - shown_until, grows)
        if kept and result:
            _carry_on(result, screen[-1], rows[kept - 1], cue, fresh=kept < len(rows))
        if kept < len(rows):
            words = _without_rows(cue.words, kept)
            result.append(Cue(cue.start, cue.end, "\n".join(rows[kept:]), cue.speaker, words))
        screen = rows
        shown_until = max(shown_until, cue.end)
    return result


def _old_rows(screen: list[str], rows: list[str], cue: Cue, gap: int, grows: bool) -> int:
    """How many rows of the cue were on the screen already."""
    kept = _kept(screen, rows, grows=grows)
    if cue.words:  # a row with word times is being spoken now, whatever stood there before
        kept = min(kept, cue.words[0].text.count("\n"))
    if kept == len(rows):
        if gap > NEAR // 2:
            return 0  # the screen was empty in between: said again
        if kept > 1 and screen == rows and len(set(rows)) == 1 and cue.end - cue.start > GHOST:
            return kept - 1  # only a screen full of one line can roll and look the same
    return kept


def _carry_on(result: list[Cue], was: str, row: str, cue: Cue, *, fresh: bool) -> None:
    """The newest cue stays until a fresh row appears, and takes the words its last row has grown by."""
    last = result[-1]
    text, words = last.text, last.words
    if row != was and text.endswith(was):
        added = row[len(was) :]
        if not words:
            words = (Word(last.start, text),)
        text, words = text + added, (*words, Word(cue.start, added))
    end = max(last.end, cue.start if fresh else cue.end) if cue.start - last.end <= GHOST else last.end
    result[-1] = Cue(last.start, end, text, last.speaker, words)


def _without_rows(words: tuple[Word, ...], count: int) -> tuple[Word, ...]:
    """The words without the first rows, which all stand in the first word: it has the first time."""
    if not words or not count:
        return words
    first = words[0]
    return (Word(first.start, first.text.split("\n", count)[count]), *words[1:])
