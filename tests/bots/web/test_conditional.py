"""Which bytes a request gets, and whether it gets any: decided without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bots.web.conditional import (
    NotSatisfiable,
    Span,
    Validators,
    parse_range,
    precondition,
    wanted_span,
)
from shared.filenames import content_disposition


@given(
    size=st.integers(0, 10**15), header=st.text(max_size=40) | st.from_regex(r"bytes=\d*-\d*", fullmatch=True)
)
def test_any_range_header_gives_a_part_inside_the_file(size: int, header: str) -> None:
    try:
        span = parse_range(header, size)
    except NotSatisfiable:
        return
    if span is not None:
        assert 0 <= span.start < span.end <= size


@given(content=st.binary(max_size=50), first=st.integers(0, 60), last=st.integers(0, 60) | st.none())
def test_ranges_cut_as_slices_do(content: bytes, first: int, last: int | None) -> None:
    header = f"bytes={first}-{'' if last is None else last}"
    expected = content[first:] if last is None else content[first : last + 1]
    if last is not None and last < first:
        assert parse_range(header, len(content)) is None
    elif first >= len(content):
        with pytest.raises(NotSatisfiable):
            parse_range(header, len(content))
    else:
        span = parse_range(header, len(content))
        assert span is not None
        assert content[span.start : span.end] == expected
        assert span.length == len(expected)


@given(content=st.binary(min_size=1, max_size=50), length=st.integers(1, 60))
def test_suffixes_cut_from_the_end(content: bytes, length: int) -> None:
    span = parse_range(f"bytes=-{length}", len(content))
    assert span is not None
    assert content[span.start : span.end] == content[-length:]


@pytest.mark.parametrize("digits", ["9" * 19, "9" * 5000, "٣"])
def test_numbers_that_are_no_offsets_are_ignored(digits: str) -> None:
    assert parse_range(f"bytes=0-{digits}", 100) is None


@given(value=st.text(max_size=60))
def test_no_header_text_breaks_the_preconditions(value: str) -> None:
    file = Validators('"tag"', 1_700_000_000)
    for name in ("if-match", "if-none-match", "if-modified-since", "if-unmodified-since"):
        precondition("GET", {name: value}, file)
    wanted_span("GET", {"range": "bytes=0-1", "if-range": value}, file, 10)


def test_ranges_are_for_get_only() -> None:
    file = Validators('"tag"', 0)
    assert wanted_span("GET", {"range": "bytes=0-1"}, file, 10) == Span(0, 2)
    assert wanted_span("HEAD", {"range": "bytes=0-1"}, file, 10) is None


def test_plain_names_need_one_form_only() -> None:
    assert content_disposition("inline", "film (1).mp4") == 'inline; filename="film (1).mp4"'
