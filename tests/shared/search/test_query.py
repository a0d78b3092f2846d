"""What somebody looks for, out of whatever they write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search.query import MOST_TERMS, Term, read_query
from shared.search.words import composed, tokens, units


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("Budget meeting", [Term(("budget",)), Term(("meeting",))]),
        ('"budget meeting" now', [Term(("budget", "meeting")), Term(("now",))]),
        ("“budget meeting” „now‟", [Term(("budget", "meeting")), Term(("now",))]),
        ('"never closed', [Term(("never", "closed"))]),
        ("budg*", [Term(("budg",), is_open=True)]),
        ('"the budg*"', [Term(("the", "budg"), is_open=True)]),
        ('a"b c"d', [Term(("a",)), Term(("b", "c")), Term(("d",))]),
        ("e-mail", [Term(("e", "mail"))]),
        ("same SAME Sámé", [Term(("same",))]),
        ("手机", [Term(("手机",), reaches_on=True)]),
        ("手", [Term(("手",), is_open=True)]),
        ('"手机 很好"', [Term(("手机", "机很", "很好"), reaches_on=True)]),
        ("iPhone手", [Term(("iphone", "手"), is_open=True)]),
        ("AND OR NOT NEAR", [Term(("and",)), Term(("or",)), Term(("not",)), Term(("near",))]),
        ("words:x -y", [Term(("words", "x")), Term(("y",))]),
        ('!!! * "" \' ()', []),
    ],
)
def test_what_is_looked_for(text: str, terms: list[Term]) -> None:
    assert list(read_query(text).terms) == terms


def test_a_flood_of_words_is_cut() -> None:
    assert len(read_query(" ".join(f"w{number}" for number in range(1000))).terms) == MOST_TERMS


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_every_text_finds_itself(text: str) -> None:
    made = tokens(units(composed(text)))
    for term in read_query(text).terms:
        assert list(term.places(made)), term


def test_places_of_a_phrase_of_an_open_word_and_of_a_pair() -> None:
    among = ["a", "b", "a", "bc"]
    assert list(Term(("a", "b")).places(among)) == [0]
    assert list(Term(("a", "b"), is_open=True).places(among)) == [0, 2]
    assert list(Term(("x",)).places(among)) == []
