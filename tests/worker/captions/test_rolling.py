"""Rolling captions say each word once afterwards; what repeats on purpose stays."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.worker.captions.makers import (
    CORPUS,
    Line,
    roll_up,
    said,
    shown_words,
    speech,
    spoken_words,
    youtube_vtt,
)
from worker.captions import Cue, Word, read, repair


def repaired(name: str, *, automatic: bool) -> list[Cue]:
    """A corpus file after repair."""
    return repair(read((CORPUS / name).read_bytes(), name.rpartition(".")[2]).cues, automatic=automatic)


def assert_in_order(cues: list[Cue]) -> None:
    """Each cue lasts a while and ends before the next starts."""
    assert all(cue.start < cue.end for cue in cues)
    assert all(one.end <= two.start for one, two in pairwise(cues))


@settings(deadline=None)
@given(lines=speech())
def test_youtube_rolling_gives_each_spoken_word_once_at_its_time(lines: list[Line]) -> None:
    cues = repair(read(youtube_vtt(lines), "vtt").cues, automatic=True)
    assert shown_words(cues) == spoken_words(lines)
    assert [cue.start for cue in cues] == [line[0].start for line in lines]
    assert [cue.words for cue in cues] == [line if len(line) > 1 else () for line in lines]
    assert_in_order(cues)


@settings(deadline=None)
@given(lines=speech())
def test_a_rolling_file_uploaded_as_hand_made_is_repaired_too(lines: list[Line]) -> None:
    cues = repair(read(youtube_vtt(lines), "vtt").cues, automatic=False)
    assert shown_words(cues) == spoken_words(lines)


@settings(deadline=None)
@given(count=st.integers(5, 30), rows=st.integers(2, 4))
def test_broadcast_roll_up_gives_each_row_once(count: int, rows: int) -> None:
    lines = [(Word(index * 1000, f"row {index}"),) for index in range(count)]
    for automatic in (True, False):
        cues = repair(roll_up(lines, rows), automatic=automatic)
        assert [(cue.start, cue.text) for cue in cues] == [(line[0].start, said(line)) for line in lines]
        assert_in_order(cues)


def test_a_row_said_again_and_again_is_kept_while_the_screen_rolls() -> None:
    texts = ["well", "so", "no", "no", "no", "no", "that is all", "thank you", "good night", "bye"]
    lines = [(Word(index * 1000, text),) for index, text in enumerate(texts)]
    assert [cue.text for cue in repair(roll_up(lines, 2), automatic=True)] == texts


@settings(deadline=None)
@given(
    st.lists(
        st.builds(
            lambda start, length, text: Cue(start, start + length, text),
            st.integers(0, 20_000),
            st.integers(-5, 5000),
            st.sampled_from(["a", "a\nb", "b", "b\na", "a b", "a b c", "c"]),
        ),
        max_size=20,
    )
)
def test_automatic_captions_come_out_in_order_whatever_they_were(cues: list[Cue]) -> None:
    assert_in_order(repair(cues, automatic=True))


def test_the_corpus_rolling_file_keeps_the_word_said_twice() -> None:
    cues = repaired("vtt-rolling.vtt", automatic=True)
    assert [(cue.start, cue.end, cue.text) for cue in cues] == [
        (160, 2080, "hello world again"),
        (2080, 4320, "no"),
        (4320, 6010, "no never"),
    ]
    assert cues[2].words == ((4320, "no"), (4900, " never"))


@pytest.mark.parametrize("automatic", [True, False])
def test_rolling_is_seen_without_any_tags(automatic: bool) -> None:
    texts = [cue.text for cue in repaired("srt-rolling-no-tags.srt", automatic=automatic)]
    assert texts == [
        f"the {which} line" for which in ("first", "second", "third", "fourth", "fifth", "sixth")
    ]


def test_growing_live_captions_become_whole_lines_with_word_times() -> None:
    cues = repaired("srt-growing.srt", automatic=True)
    assert [cue.text for cue in cues] == ["GOOD EVENING AND WELCOME", "TO THE NEWS"]
    assert [word.start for word in cues[0].words] == [1000, 2000, 3000, 4000]


@pytest.mark.parametrize("automatic", [True, False])
def test_a_song_keeps_every_repeat(automatic: bool) -> None:
    before = read((CORPUS / "srt-song.srt").read_bytes(), "srt").cues
    assert repaired("srt-song.srt", automatic=automatic) == before


@pytest.mark.parametrize("automatic", [True, False])
def test_a_blues_that_sings_lines_twice_keeps_them(automatic: bool) -> None:
    texts = [text for verse in "abcd" for text in (f"{verse} one", f"{verse} one", f"{verse} two")]
    cues = [Cue(2000 * index, 2000 * index + 2000, text) for index, text in enumerate(texts)]
    assert repair(cues, automatic=automatic) == cues


def test_two_people_speaking_at_once_stay_so_in_hand_made_captions() -> None:
    cues = repaired("srt-overlapping.srt", automatic=False)
    assert [(cue.start, cue.end) for cue in cues] == [(1000, 5000), (2000, 3000)]


def test_json3_lines_that_overlap_are_cut_where_the_next_starts() -> None:
    cues = repaired("youtube.json3", automatic=True)
    assert [(cue.start, cue.end) for cue in cues] == [(160, 2080), (2080, 6080), (9000, 12000)]


def test_cues_out_of_order_with_impossible_ends_become_usable() -> None:
    cues = repaired("srt-out-of-order.srt", automatic=False)
    assert [(cue.start, cue.end) for cue in cues] == [(1000, 2000), (5000, 8000)]
