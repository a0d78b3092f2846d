"""A translation on its cues: all of it, in order, in time, and no faster than people read."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.captions.cues import Cue, ordered, without_overlap
from worker.captions.retime import FASTEST, LONGEST, apportion, readable, retimed
from worker.captions.sentences import sentences
from worker.captions.writers import safe_rows

WORDS = st.text("abcdeéñ", min_size=1, max_size=12) | st.sampled_from(["Mr.", "- Yes", "ok.", "¿qué?", "No."])
LATIN = st.lists(WORDS, min_size=1, max_size=12).map(" ".join)
THAI = st.text("ขคงจเือ่", min_size=1, max_size=60)
CHINESE = st.text("渡轮中午出发。，请", min_size=1, max_size=60)
TEXTS = st.one_of(LATIN, THAI, CHINESE, st.tuples(LATIN, CHINESE, THAI).map(" ".join))
CUES = st.lists(
    st.builds(
        lambda start, length, text, speaker: Cue(start, start + length, text, speaker),
        st.integers(0, 60_000),
        st.integers(1, 6000),
        LATIN,
        st.sampled_from([None, None, "Ann", "Ben"]),
    ),
    min_size=1,
    max_size=25,
).map(ordered)


def bare(text: str) -> str:
    return "".join(text.split())


@given(CUES, st.data())
def test_the_whole_translation_stands_in_ordered_cues_within_the_old_time(
    cues: list[Cue], data: st.DataObject
) -> None:
    said = list(sentences(without_overlap(cues)))
    translations = {sentence.text: data.draw(TEXTS) for sentence in said}
    result = retimed(cues, translations)
    assert bare("".join(c.text for c in result)) == bare("".join(translations[s.text] for s in said))
    assert all(cue.start < cue.end and cue.text and not cue.words for cue in result)
    assert all(one.end <= two.start for one, two in pairwise(result))
    assert result[0].start >= cues[0].start
    assert result[-1].end <= max(cue.end for cue in cues)
    assert {cue.start for cue in result} <= {cue.start for cue in cues}


@given(CUES, st.data())
def test_nothing_is_too_fast_where_there_is_time(cues: list[Cue], data: st.DataObject) -> None:
    translations = {sentence.text: data.draw(TEXTS) for sentence in sentences(without_overlap(cues))}
    for one, two in pairwise(retimed(cues, translations)):
        if is_fast(one):
            assert one.end == two.start
            could_help = one.speaker == two.speaker and len(one.text) + len(two.text) <= LONGEST
            assert is_fast(two) or not could_help


def is_fast(cue: Cue) -> bool:
    return len(cue.text) * 1000 > FASTEST * (cue.end - cue.start)


@given(st.lists(st.text(max_size=200).map(safe_rows).filter(bool), min_size=1, max_size=8))
def test_whatever_is_said_is_all_in_sentences(texts: list[str]) -> None:
    cues = [Cue(at * 1000, at * 1000 + 900, text) for at, text in enumerate(texts)]
    assert bare("".join(s.text for s in sentences(cues))) == bare("".join(texts))
    assert bare("".join(cue.text for cue in retimed(cues, {}))) == bare("".join(texts))


@given(TEXTS, st.lists(st.integers(1, 500), min_size=1, max_size=12))
def test_a_text_is_shared_out_whole(text: str, weights: list[int]) -> None:
    parts = apportion(text, weights)
    assert len(parts) == len(weights)
    assert bare("".join(parts)) == bare(text)
    assert parts[0]


@pytest.mark.parametrize(
    ("text", "weights", "parts"),
    [
        ("uno dos tres cuatro", [1, 1], ["uno dos", "tres cuatro"]),
        ("uno dos tres cuatro", [1, 9], ["uno", "dos tres cuatro"]),
        ("Transbordador", [5, 5, 5], ["Transbordador", "", ""]),
        ("渡轮中午出发。", [3, 4], ["渡轮中", "午出发。"]),
        ("渡轮中午出发。", [99, 1], ["渡轮中午出发。", ""]),
        ("渡轮「中午」出发。", [2, 7], ["渡轮", "「中午」出发。"]),
        ("เรือข้ามฟาก", [1, 1], ["เรือข้า", "มฟาก"]),
    ],
)
def test_shares(text: str, weights: list[int], parts: list[str]) -> None:
    assert apportion(text, weights) == parts


def test_a_sentence_goes_back_to_its_cues() -> None:
    cues = [Cue(0, 2000, "Hello. The ferry"), Cue(2000, 4000, "leaves at\nnoon.", words=())]
    translations = {"Hello.": "Hola.", "The ferry leaves at noon.": "El transbordador sale a mediodía."}
    assert retimed(cues, translations) == [
        Cue(0, 2000, "Hola. El transbordador"),
        Cue(2000, 4000, "sale a mediodía."),
    ]


def test_a_long_translation_stays_longer_and_a_flash_joins_its_neighbour() -> None:
    long = "x" * 40  # two seconds
    assert readable([Cue(0, 500, long), Cue(5000, 6000, "y")])[0].end == 2000
    assert readable([Cue(0, 500, long), Cue(1500, 6000, "y")]) == [Cue(0, 6000, f"{long} y")]
    assert readable([Cue(0, 5000, "y"), Cue(5000, 5500, long)]) == [Cue(0, 5500, f"y {long}")]
    two_people = [Cue(0, 500, long, "Ann"), Cue(500, 6000, "y", "Ben")]
    assert readable(two_people) == two_people


def test_a_cue_that_gets_no_word_lends_its_time_to_the_one_before() -> None:
    cues = [Cue(0, 1000, "the"), Cue(1000, 2000, "ferry boat"), Cue(9000, 9500, "Yes.")]
    assert retimed(cues, {"the ferry boat": "Transbordador"}) == [
        Cue(0, 2000, "Transbordador"),
        Cue(9000, 9500, "Yes."),
    ]
