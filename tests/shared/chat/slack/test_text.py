"""Words of strangers show as text in Slack, within its limits."""

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chat.slack.text import cut, escape, fitting, foreign, length, link, moment, one_line
from tests.shared.chat.slack.views import NASTY
from tests.slack.mrkdwn import pings


def test_special_characters_become_entities() -> None:
    assert escape("<!channel> & co") == "&lt;!channel&gt; &amp; co"


@given(st.text(), st.integers(1, 200))
def test_a_cut_text_keeps_the_limit_and_whole_entities(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert length(short) <= limit
    if short != escape(text):
        assert short.endswith("…")
        assert escape(text).startswith(short[:-1])
    assert not re.search("[<>]|&(?!amp;|lt;|gt;)", short)


def test_what_fits_is_not_cut() -> None:
    assert cut("a & b", 9) == "a &amp; b"
    assert cut("a & b", 8) == "a &amp;…"
    assert cut("a & b", 7) == "a…"


def test_joined_emoji_are_not_torn_at_the_joiner() -> None:
    assert cut("ab\N{MAN}\u200d\N{WOMAN}", 5) == "ab\N{MAN}…"


def test_a_title_stays_on_one_line_and_in_its_direction() -> None:
    assert one_line("a\n\tb\u202e c\x00d\u2028e") == "a b c d e"


@given(st.text())
def test_no_text_of_a_stranger_breaks_a_line(text: str) -> None:
    assert len(foreign(text, 100).splitlines()) <= 1


def test_a_link_shows_its_label_and_leads_to_its_address_only() -> None:
    made = link("https://a.example/x|y>z?a=1&b=2#t=83", NASTY)
    found = pings({"blocks": [{"type": "mrkdwn", "text": made, "verbatim": True}]})
    assert found.links == ["https://a.example/x%7Cy%3Ez?a=1&b=2#t=83"]
    assert not found.anybody


@pytest.mark.parametrize("url", ["javascript:alert(1)", "", "!channel", "https://" + "a" * 3000])
def test_what_is_no_address_is_shown_without_a_link(url: str) -> None:
    assert link(url, "Film & more") == "Film &amp; more"


def test_a_list_that_is_too_long_says_how_much_is_missing() -> None:
    assert fitting(["one", "two"], 100) == "one\ntwo"
    assert fitting(["a" * 20] * 5, 60) == "\n".join(["a" * 20, "a" * 20, "…and 3 more"])


def test_a_moment_is_told_in_everybodys_own_time() -> None:
    when = datetime(2026, 7, 27, 15, 4, tzinfo=UTC)
    assert moment(when) == "<!date^1785164640^{date_short_pretty}, {time}|27 Jul 15:04 UTC>"
