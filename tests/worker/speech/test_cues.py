"""Words become captions that can be read."""

import json
from pathlib import Path

import pytest

from worker.speech.cues import divided, in_order, json3
from worker.speech.journal import Journal
from worker.speech.model import Word


def said(text: str, pace: float = 0.4) -> list[Word]:
    """Words one after the other; `|` is a second and a half of silence."""
    words: list[Word] = []
    now = 0.0
    for word in text.split():
        if word == "|":
            now += 1.5
            continue
        words.append(Word(now, now + pace * 0.9, f" {word}"))
        now += pace
    return words


def texts(words: list[Word]) -> list[str]:
    return ["".join(word.text for word in cue).strip() for cue in divided(words)]


@pytest.mark.parametrize(
    ("spoken", "cues"),
    [
        ("The ferry leaves at noon. Be there.", ["The ferry leaves at noon.", "Be there."]),
        ("Mr. Smith is late.", ["Mr. Smith is late."]),
        ("wait | for it", ["wait", "for it"]),
        ("", []),
    ],
)
def test_sentences_and_pauses_divide(spoken: str, cues: list[str]) -> None:
    assert texts(said(spoken)) == cues


def test_no_cue_is_too_long_to_read() -> None:
    for cue in divided(said("incomprehensibilities " * 100, pace=0.5)):
        assert cue[-1].end - cue[0].start <= 6
        assert sum(len(word.text) for word in cue) <= 84
    japanese = [Word(n * 0.1, n * 0.1 + 0.1, "港へ") for n in range(100)]
    assert max(len("".join(word.text for word in cue)) for cue in divided(japanese)) <= 42


def test_times_that_a_model_made_up_are_put_right() -> None:
    wild = [Word(5, 6, "a"), Word(3, 4, "b"), Word(7, 99, "c"), Word(50, 60, "d"), Word(-1, -2, "e")]
    put = list(in_order(wild, 2, 10))
    starts = [word.start for word in put]
    assert starts == sorted(starts) and [word.text for word in put] == list("abcde")
    assert all(2 <= word.start <= word.end <= 10 for word in put)


def test_the_file_has_a_time_for_every_word() -> None:
    events = json.loads("".join(json3(said("One two | three"), offset=10)))["events"]
    assert [(event["tStartMs"], [s["tOffsetMs"] for s in event["segs"]]) for event in events] == [
        (10_000, [0, 400]),
        (12_300, [0]),
    ]
    assert json.loads("".join(json3([]))) == {"events": []}


def test_a_journal_goes_on_behind_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    first = Journal(path, ["a", 1])
    first.add(100, None, [])
    first.add(200, "en", said("one two"))
    with path.open("ab") as file:
        file.write(b'{"until": 300, "langu')
    second = Journal(path, ["a", 1])
    assert (second.until, second.language, second.words) == (200, "en", 2)
    second.add(300, None, said("three"))
    assert [word.text for word in second.read()] == [" one", " two", " three"]
    assert Journal(path, ["a", 1]).until == 300
    assert Journal(path, ["another file"]).until == 0
    assert list(Journal(path, ["a", 1]).read()) == []
