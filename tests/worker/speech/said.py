"""Speech with a known text, and how much of it was heard."""

import re
import subprocess
from pathlib import Path

TEXT = (
    "Every morning the old ferry leaves the harbor before the sun comes up. "
    "The captain drinks a cup of strong coffee and looks at the weather map on the wall. "
    "Twenty people are waiting on the pier with their bags and bicycles. "
    "When the bell rings for the third time, a sailor closes the gate behind the last passenger. "
    "The crossing takes forty minutes, and on a clear day you can see the mountains on the other side. "
    "Children run from window to window, because somebody has seen a whale. "
    "It turns out to be a large rock with a few birds on it. "
    "In the small kitchen below the deck a woman sells soup, bread and yellow apples. "
    "At noon the wind changes, and the water becomes as smooth as glass. "
    "Nobody is in a hurry here, and that is why so many people like to travel by ship."
)


def speak(text: str, target: Path, voice: str = "slt") -> Path:
    """Have ffmpeg's flite say a text into a sound file; its name decides the format."""
    words = target.with_suffix(".words.txt")
    words.write_text(text)
    source = f"flite=textfile={words.name}:voice={voice}"
    ffmpeg("-f", "lavfi", "-i", source, "-ac", "1", target.name, folder=target.parent)
    return target


def ffmpeg(*arguments: str, folder: Path) -> None:
    """Run it in a folder, so that a filter's argument needs no quoting."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *arguments], cwd=folder, check=True)


def words_of(text: str) -> list[str]:
    """Words as they sound: without case and punctuation."""
    return re.findall(r"[a-z']+|\d+", text.lower())


def word_error_rate(said: str, heard: str) -> float:
    """Words to insert, drop or replace to get from one to the other, for each word said."""
    reference, hypothesis = words_of(said), words_of(heard)
    row = list(range(len(hypothesis) + 1))
    for line, word in enumerate(reference, 1):
        diagonal, row[0] = row[0], line
        for place, other in enumerate(hypothesis, 1):
            cheapest = min(diagonal + (word != other), row[place] + 1, row[place - 1] + 1)
            diagonal, row[place] = row[place], cheapest
    return row[-1] / len(reference)
