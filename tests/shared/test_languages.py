"""Language words: what people write, and what to show for a code."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.languages import language_name, normalize_language


@pytest.mark.parametrize(
    ("word", "code"),
    [
        ("en", "en"),
        ("EN", "en"),
        ("German", "de"),
        ("deu", "de"),
        ("ger", "de"),
        ("en-us", "en-US"),
        ("pt_br", "pt-BR"),
        ("zh-hans", "zh-Hans"),
        ("zh-HANT-tw", "zh-Hant-TW"),
        ("es-419", "es-419"),
        ("farsi", "fa"),
        ("iw", "he"),
        ("nb", "no"),
        ("Brazilian Portuguese", "pt-BR"),
        ("bho", "bho"),
        ("ALL", "all"),
        ("orig", "orig"),
        ("original", "orig"),
    ],
)
def test_a_code_or_an_english_name_is_understood(word: str, code: str) -> None:
    assert normalize_language(word) == code


@pytest.mark.parametrize(
    "word",
    ["", "-", "xx", "now", "mp4", "klingonese", "en.*", "^en", "en|de", "all-US", "en-orig", "e", "ſv"],
)
def test_anything_else_is_none(word: str) -> None:
    assert normalize_language(word) is None


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("de", "German"),
        ("pt-BR", "Portuguese (Brazil)"),
        ("zh-Hans", "Chinese (Simplified)"),
        ("de-AT", "German (AT)"),
        ("iw", "Hebrew"),
        ("orig", "original language"),
        ("all", "all languages"),
        ("bho", "bho"),
        ("en-orig", "English (orig)"),
    ],
)
def test_a_code_has_a_name_to_show(code: str, name: str) -> None:
    assert language_name(code) == name


@settings(deadline=None)
@given(st.text())
def test_any_word_is_none_or_a_code_that_is_safe_inside_a_regular_expression(word: str) -> None:
    code = normalize_language(word)
    assert code is None or (re.fullmatch("[A-Za-z0-9-]+", code) and normalize_language(code) == code)
