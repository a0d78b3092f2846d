"""Sentences across cues, and within them."""

import json

import pytest

from worker.captions.convert import convert
from worker.captions.cues import Cue, Part, Transcript
from worker.captions.prose import ENOUGH
from worker.captions.sentences import sentences, write_sentences


def cues(*texts: str, gap: int = 0) -> list[Cue]:
    return [Cue(at * (1000 + gap), at * (1000 + gap) + 1000, text) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["The ferry", "leaves at\nnoon."], ["The ferry leaves at noon."]),
        (["Hello. How are", "you? I am fine."], ["Hello.", "How are you?", "I am fine."]),
        (["Mr. Smith and J. R. Ewing", "wait."], ["Mr. Smith and J. R. Ewing wait."]),
        (["It costs 3.50 e.g. here..."], ["It costs 3.50 e.g. here..."]),
        (["He said “Stop!” Then he left."], ["He said “Stop!”", "Then he left."]),
        (["- Who?\n- The captain."], ["- Who?", "- The captain."]),
        (["渡轮中午出发。请准备好", "您的船票。"], ["渡轮中午出发。", "请准备好您的船票。"]),
        (["हम चलते हैं। वह आता है।"], ["हम चलते हैं।", "वह आता है।"]),
        (["no full stop", "and none here"], ["no full stop and none here"]),
        ([], []),
    ],
)
def test_sentences(texts: list[str], expected: list[str]) -> None:
    assert [sentence.text for sentence in sentences(cues(*texts))] == expected


def test_a_pause_and_a_speaker_end_a_sentence() -> None:
    assert [s.text for s in sentences(cues("we wait", "and wait", gap=2000))] == ["we wait", "and wait"]
    spoken = [Cue(0, 1000, "we", "Ann"), Cue(1000, 2000, "you", "Ben")]
    assert [s.text for s in sentences(spoken)] == ["we", "you"]


def test_every_piece_says_where_it_stands() -> None:
    found = list(sentences(cues("Hello. How", "are you?")))
    assert [[tuple(piece) for piece in sentence.pieces] for sentence in found] == [
        [(0, "Hello.")],
        [(0, "How"), (1, "are you?")],
    ]


@pytest.mark.parametrize("text", ["word " * 5000, "x" * 20_000])
def test_text_without_any_end_is_cut(text: str) -> None:
    found = list(sentences(cues(text, text)))
    assert max(len(sentence.text) for sentence in found) <= 2 * ENOUGH
    assert "".join(s.text for s in found).replace(" ", "") == (text * 2).replace(" ", "")


def test_what_there_is_to_translate_is_listed_once_with_the_chapters() -> None:
    transcript = Transcript(cues("♪", "Row!", "Row!", "100 %"), [Part(0, 2, "The Harbour"), Part(2, 4, "3")])
    assert json.loads(write_sentences(transcript)) == ["♪ Row!", "Row!", "The Harbour"]


def test_a_whole_file_is_translated_with_its_chapters() -> None:
    data = b"WEBVTT\n\n00:00.000 --> 00:02.000\nGood morning.\n\n00:02.000 --> 00:04.000\nGoodbye.\n"
    translations = {"Good morning.": "Buenos dias.", "Arrival": "Llegada"}
    texts = convert(
        data, "vtt", automatic=False, formats=["srt", "txt"], chapters=[Part(0, 4, "Arrival")],
        translations=translations,
    )  # fmt: skip
    assert texts["txt"] == "== Llegada ==\n\nBuenos dias. Goodbye.\n"
    assert "00:00:00,000 --> 00:00:02,000\nBuenos dias." in texts["srt"]
