"""Sizes and times in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.words import size_words, time_words


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB"), (99_950, "100 kB"),
     (999_499, "999 kB"), (999_500, "1.0 MB"), (1_500_000, "1.5 MB"), (999_999_999, "1.0 GB"),
     (12.3e12, "12.3 TB"), (5e15, "5000 TB")],
)  # fmt: skip
def test_size_words(size: float, words: str) -> None:
    assert size_words(size) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0:00"),
        (59.4, "0:59"),
        (59.6, "1:00"),
        (80, "1:20"),
        (3600, "1:00:00"),
        (3723, "1:02:03"),
        (-3, "0:00"),
    ],
)
def test_time_words(seconds: float, words: str) -> None:
    assert time_words(seconds) == words


@given(st.integers(0, 10**15))
def test_no_size_needs_more_than_three_digits_and_a_tenth(size: int) -> None:
    amount, _, _ = size_words(size).partition(" ")
    assert len(amount) <= 4
    assert float(amount) < 1000 or size >= 999.5e12
