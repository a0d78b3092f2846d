"""Whose code means which language, and what is said about a pair that is unknown."""

import pytest

from worker.translate.languages import matching, our_code
from worker.translate.port import LanguagePairUnknown

APERTIUM = {"eng": {"spa"}, "spa": {"eng", "eng_US"}}
AMAZON_CODES = {"en", "es", "es-MX", "pt", "pt-PT", "zh", "zh-TW", "no", "tl", "he", "fr-CA"}
AMAZON = {code: AMAZON_CODES - {code} for code in AMAZON_CODES}
LIBRE_CODES = ["en", "es", "nb", "zh-Hans", "zt", "pt-BR"]
LIBRE = dict.fromkeys(LIBRE_CODES, LIBRE_CODES)


@pytest.mark.parametrize(
    ("pairs", "source", "target", "expected"),
    [
        (APERTIUM, "en", "es", ("eng", "spa")),
        (APERTIUM, "en-GB", "es-419", ("eng", "spa")),
        (APERTIUM, "es", "en", ("spa", "eng")),
        (APERTIUM, "es", "en-US", ("spa", "eng_US")),
        (AMAZON, "en", "es-MX", ("en", "es-MX")),
        (AMAZON, "en", "es-419", ("en", "es")),
        (AMAZON, "en", "pt-BR", ("en", "pt")),
        (AMAZON, "en", "zh-Hans", ("en", "zh")),
        (AMAZON, "en", "zh-CN", ("en", "zh")),
        (AMAZON, "zh-HK", "fil", ("zh-TW", "tl")),
        (AMAZON, "iw", "nb", ("he", "no")),
        (AMAZON, "en", "fr", ("en", "fr-CA")),
        (LIBRE, "en", "zh-Hant", ("en", "zt")),
        (LIBRE, "zh-TW", "no", ("zt", "nb")),
        (LIBRE, "zh", "pt", ("zh-Hans", "pt-BR")),
    ],
)
def test_pairs(pairs: dict[str, set[str]], source: str, target: str, expected: tuple[str, str]) -> None:
    assert matching(pairs, source, target) == expected


@pytest.mark.parametrize(
    ("pairs", "source", "target", "said"),
    [
        (APERTIUM, "en", "sw", "I cannot translate English to Swahili, only to Spanish."),
        (APERTIUM, "th", "es", "I cannot translate from Thai, only from English and Spanish."),
        (
            {"en": {"de", "fr", "es", "it", "pt", "ru", "ja", "ko"}},
            "en",
            "sw",
            "I cannot translate English to Swahili, only to French, German, Italian, Japanese, Korean,"
            " Portuguese and 2 more.",
        ),
        (
            {"zh": {"en"}},
            "zh-Hant",
            "en",
            "I cannot translate from Chinese (Traditional), only from Chinese (Simplified).",
        ),
        ({}, "en", "es", "I cannot translate from English."),
        ({"en": set()}, "en", "es", "I cannot translate English to Spanish."),
    ],
)
def test_an_unknown_pair_says_what_is_possible(
    pairs: dict[str, set[str]], source: str, target: str, said: str
) -> None:
    with pytest.raises(LanguagePairUnknown) as caught:
        matching(pairs, source, target)
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("eng", "en"),
        ("zt", "zh-Hant"),
        ("zh", "zh-Hans"),
        ("spa", "es"),
        ("nb", "no"),
        ("xyz", None),
        ("", None),
    ],
)
def test_their_codes_in_our_words(theirs: str, ours: str | None) -> None:
    assert our_code(theirs) == ours
