"""Speech that is known word by word, and the rolling files that sites make of it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from hypothesis import strategies as st

from worker.captions import Cue, Word

CORPUS = Path(__file__).parents[2] / "captions"

Line = tuple[Word, ...]  # one row of captions, as it is spoken

# Few and short, so that words and whole lines repeat by chance: that is where repair could lose some.
_words = st.sampled_from(["no", "no", "la", "go", "hello", "dünn", "שלום", "好", "1984", "<3", "a&b"])


@st.composite
def speech(draw: st.DrawFn, least: int = 2, most: int = 12) -> list[Line]:
    """Lines of words with rising times in milliseconds; sometimes nobody speaks for a while."""
    now = draw(st.integers(0, 5000))
    lines = []
    for _ in range(draw(st.integers(least, most))):
        words = []
        for place in range(draw(st.integers(1, 5))):
            words.append(Word(now, (" " if place else "") + draw(_words)))
            now += draw(st.integers(150, 600))
        lines.append(tuple(words))
        now += 10 + draw(st.sampled_from([0, 0, 0, 3000]))
    return lines


def said(line: Line) -> str:
    """The row as it is read."""
    return "".join(word.text for word in line)


def spoken_words(lines: Iterable[Line]) -> list[str]:
    """Every word that was spoken, in order."""
    return [word.text.strip() for line in lines for word in line]


def shown_words(cues: Iterable[Cue]) -> list[str]:
    """Every word that the cues show, in order."""
    return [word for cue in cues for word in cue.text.split()]


def stamp(moment: int) -> str:
    """A WebVTT time."""
    seconds, fraction = divmod(moment, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:03}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")


def youtube_vtt(lines: Sequence[Line]) -> bytes:
    """As YouTube writes it: the old row above the spoken one, then the same for 10 ms without times."""
    blocks = ["WEBVTT\nKind: captions\nLanguage: en\n"]
    old = " "
    for index, line in enumerate(lines):
        start = line[0].start
        end = lines[index + 1][0].start if index + 1 < len(lines) else line[-1].start + 1000
        timed = _escaped(line[0].text) + "".join(
            f"<{stamp(word.start)}><c>{_escaped(word.text)}</c>" for word in line[1:]
        )
        row = _escaped(said(line))
        blocks.append(f"{stamp(start)} --> {stamp(end - 10)} align:start position:0%\n{old}\n{timed}\n")
        blocks.append(f"{stamp(end - 10)} --> {stamp(end)} align:start position:0%\n{row}\n \n")
        old = row
    return "\n".join(blocks).encode()


def roll_up(lines: Sequence[Line], rows: int) -> list[Cue]:
    """As broadcasters do it: every new row pushes the others up."""
    cues = []
    for index, line in enumerate(lines):
        end = lines[index + 1][0].start if index + 1 < len(lines) else line[-1].start + 1000
        shown = [said(row) for row in lines[max(0, index + 1 - rows) : index + 1]]
        cues.append(Cue(line[0].start, end, "\n".join(shown)))
    return cues
