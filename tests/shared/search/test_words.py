"""What a word is: the same for everybody who writes it a little differently."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.search.words import composed, title_words, tokens, tokens_of, units


def words(text: str) -> list[str]:
    """The tokens of a text."""
    return tokens(units(composed(text)))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crème BRÛLÉE", "creme brulee"),
        ("Straße", "STRASSE"),
        ("İstanbul", "istanbul"),
        ("Łódź Ærø Ħ", "lodz aero h"),
        ("ﬁne ① ㎏", "fine 1 kg"),
        ("e\u0301te\u0301", "été"),
        ("soft\u00adhyphen", "softhyphen"),
        ("Ёлка й", "елка и"),
        ("ΌΔΟΣ", "οδος"),
        ("שָׁלוֹם", "שלום"),
        ("مُحَمَّد أحمد", "محمد احمد"),
        ("か\u3099", "が"),
        ("한국", "한국"),
        ("e-mail: don't!", "e mail don t"),
    ],
)
def test_spellings_of_one_word_are_one(one: str, other: str) -> None:
    assert words(one) == words(other)


@pytest.mark.parametrize(
    ("one", "other"), [("が", "か"), ("สี", "สู"), ("हिन्दी", "हन्द"), ("résumé2", "resume")]
)
def test_other_words_stay_others(one: str, other: str) -> None:
    assert words(one) != words(other)


def test_scripts_without_spaces_are_pairs_of_characters_wherever_a_line_ends() -> None:
    assert words("很好,你\n好 hello") == ["很好", "好你", "你好", "好", "hello"]


def test_a_word_knows_where_it_stands() -> None:
    text = composed("¡Olé, señor!")
    assert [text[unit.start : unit.end] for unit in units(text)] == ["Olé", "señor"]


def test_a_title_is_its_tokens_between_spaces() -> None:
    assert title_words("Ça va — 很好?") == " ca va 很好 好 "


@given(st.text())
def test_tokens_hold_nothing_that_means_anything_to_a_database(text: str) -> None:
    for token in words(text):
        assert token
        assert not set(token) & set(" '\"\\%_*:&|!()<>\x00")
        assert token == token.casefold()  # in Cherokee that is the capital letter


@given(st.text(alphabet=st.characters(max_codepoint=127)) | st.text())
def test_the_quick_way_is_the_same(text: str) -> None:
    assert tokens_of(composed(text)) == words(text)


@given(st.text())
def test_words_stand_in_the_text_one_after_the_other(text: str) -> None:
    text = composed(text)
    found = units(text)
    assert all(0 <= unit.start < unit.end <= len(text) for unit in found)
    assert all(one.end <= two.start for one, two in pairwise(found))
