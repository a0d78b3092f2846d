"""Which caption tracks are chosen for which languages."""

import re
import time
from typing import Any

import pytest

from worker.child.describe import describe
from worker.child.protocol import CaptionSource
from worker.child.tracks import automatic_languages, choose, clean_language, manual_languages


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


def test_where_nobody_says_what_is_spoken_the_sites_first_track_stands_for_it() -> None:
    assert [pick.language for pick in choose(MANUAL, {}, ["orig"], None)] == [next(iter(MANUAL))]


def test_translations_are_not_listed_as_automatic() -> None:
    assert list(automatic_languages(AUTOMATIC)) == ["es"]
    assert list(manual_languages(MANUAL)) == ["en", "en-US", "pt-BR", "de"]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "data:text/vtt,x", "rtmp://a/b", ""])
def test_tracks_that_are_no_web_address_are_left_out(url: str) -> None:
    assert choose({"en": [{"ext": "vtt", "url": url}]}, {}, ["en"], None) == ()


def test_a_track_may_carry_its_text() -> None:
    (pick,) = choose({"en": [{"ext": "srt", "data": "1"}]}, {}, ["en"], None)
    assert pick.source is CaptionSource.MANUAL


HOSTILE = [
    "English (US)",
    "x" * 300,
    "../../etc/passwd",
    "\ud800",
    "a" * 5_000_000,
    "",
    "русский",
    "a\nb",
    "all",
]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("iw", "he"),
        ("Hebrew", "he"),
        ("EN_us", "en-US"),
        ("English (SDH)", "English-SDH"),
        ("en-eEY6OEpapPo", "en-eEY6OEpapPo"),
        ("../../etc/passwd", "etc-passwd"),
        ("русский", "und"),
        ("\ud800", "und"),
        ("original", "und"),  # a word of ours
        (None, "None"),
        ("x" * 34 + "-y" * 99, "x" * 34),
    ],
)
def test_a_language_becomes_a_code(name: object, code: str) -> None:
    assert clean_language(name) == code


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:20])
def test_whatever_a_site_calls_a_language_is_fit_for_a_file_name(name: str) -> None:
    fit = re.compile("[A-Za-z0-9-]{1,35}")
    info = {"subtitles": {name: track("x")}, "automatic_captions": {name: track("y")}, "language": name}
    media = describe({"id": "x", **info})
    for wanted in ("all", "en"):
        for pick in choose({name: track("x")}, {name: track("y")}, [wanted], None):
            assert fit.fullmatch(pick.language)
    (manual,), (automatic,) = media.captions, media.automatic_captions
    assert fit.fullmatch(manual) and fit.fullmatch(automatic)
    assert media.language is None or fit.fullmatch(media.language)


def test_old_codes_match_what_people_ask_for() -> None:
    assert [pick.language for pick in choose({"iw": track("iw")}, {}, ["he"], None)] == ["he"]
    assert [pick.language for pick in choose({"English (SDH)": track("en")}, {}, ["en"], None)] == [
        "English-SDH"
    ]


@pytest.mark.slow
def test_a_site_with_endless_languages_is_no_work() -> None:
    tracks = {f"a{place}-b-c-d": track("en") for place in range(20_000)}
    started = time.process_time()
    media = describe(
        {"id": "x", "subtitles": tracks, "automatic_captions": {k: track("x", tlang="y") for k in tracks}}
    )
    assert len(choose(tracks, tracks, [f"x{n}" for n in range(30)] + ["all"], "en")) <= 100
    assert len(media.captions) <= 500
    assert time.process_time() - started < 60
