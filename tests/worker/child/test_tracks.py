"""Which caption tracks are chosen for which languages."""

from typing import Any

import pytest

from worker.child.protocol import CaptionSource
from worker.child.tracks import automatic_languages, choose, manual_languages


def track(language: str, **query: str) -> list[dict[str, Any]]:
    more = "".join(f"&{name}={value}" for name, value in query.items())
    return [
        {"ext": ext, "url": f"https://site.example/t?lang={language}&fmt={ext}{more}"}
        for ext in ("json3", "srt", "vtt")
    ]


MANUAL = {
    "en": track("en"),
    "en-US": track("en"),
    "pt-BR": track("pt"),
    "de": track("de"),
    "live_chat": track("x"),
}
AUTOMATIC = {
    "es-orig": track("es"),
    "es": track("es"),
    "fr": track("es", tlang="fr"),
    "pt": track("es", tlang="pt"),
    "it-en": track("en", tlang="it"),
}


def picks(*languages: str, original: str | None = "es") -> list[tuple[str, str, str]]:
    chosen = choose(MANUAL, AUTOMATIC, languages, original)
    return [(pick.language, pick.source.value, pick.formats[0]["ext"]) for pick in chosen]


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("en", [("en", "manual", "vtt")]),
        ("EN_us", [("en-US", "manual", "vtt")]),
        ("en-GB", [("en", "manual", "vtt")]),
        ("pt", [("pt-BR", "manual", "vtt")]),  # people before machines, even for a neighbour
        ("es", [("es", "automatic", "json3")]),
        ("es-MX", [("es", "automatic", "json3")]),
        ("orig", [("es", "automatic", "json3")]),
        ("fr", [("fr", "translated", "json3")]),
        ("it", [("it", "translated", "json3")]),
        ("xx", []),
        ("", []),
    ],
)
def test_one_language(wanted: str, expected: list[tuple[str, str, str]]) -> None:
    assert picks(wanted) == expected


def test_all_means_what_people_made() -> None:
    assert [language for language, _, _ in picks("all")] == ["en", "en-US", "pt-BR", "de"]
    assert [pick.language for pick in choose({}, AUTOMATIC, ["all"], None)] == ["es"]


def test_each_track_comes_once_in_the_order_wanted() -> None:
    assert [language for language, _, _ in picks("de", "en", "de-AT", "en")] == ["de", "en"]


def test_the_original_is_guessed_from_what_was_heard() -> None:
    assert [pick.language for pick in choose({}, AUTOMATIC, ["orig"], None)] == ["es"]
    assert choose({}, {}, ["orig", "all"], None) == ()


def test_translations_are_not_listed_as_automatic() -> None:
    assert list(automatic_languages(AUTOMATIC)) == ["es"]
    assert list(manual_languages(MANUAL)) == ["en", "en-US", "pt-BR", "de"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:text/vtt,x", "rtmp://a/b", ""])
def test_tracks_that_are_no_web_address_are_left_out(url: str) -> None:
    assert choose({"en": [{"ext": "vtt", "url": url}]}, {}, ["en"], None) == ()


def test_a_track_may_carry_its_text() -> None:
    (pick,) = choose({"en": [{"ext": "srt", "data": "1"}]}, {}, ["en"], None)
    assert pick.source is CaptionSource.MANUAL
