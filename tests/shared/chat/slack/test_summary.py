"""The words beside a shared transcript."""

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.chat.slack.summary import Track, first_words, summary
from shared.results import Chapter
from tests.shared.chat.slack.views import NASTY, does, notified, shown

WATCH = "https://ferry.example/w/token"
SRT = "1\n00:01,000 --> 00:02,000\n<i>Hello</i> there &amp; welcome.\n\n2\n00:03,000 --> 00:04,000\nOn!\n"


def test_a_summary_tells_title_length_languages_chapters_and_the_first_lines() -> None:
    tracks = [Track("en", "manual"), Track("de", "translated")]
    chapters = [Chapter(0, "Start"), Chapter(83.4, "The <best> part")]
    told = summary("A film", 754, tracks, chapters, WATCH, "Hello there & welcome.\nOn!")
    assert shown(told).splitlines() == [
        "*A film*",
        "12:34 · English, made by people · German, translated automatically",
        "0:00 Start",
        "1:23 The <best> part",
        "“Hello there & welcome. On!",
    ]
    assert does(told).links == [f"{WATCH}#t=0", f"{WATCH}#t=83.4"]
    assert notified(told) == "Transcript: A film"


def test_without_a_page_chapters_are_times_only() -> None:
    assert does(summary("A film", None, [], [Chapter(5, "One")])).links == []


def test_nasty_words_show_as_text() -> None:
    told = summary(NASTY, 1, [Track(NASTY, NASTY)], [Chapter(1, NASTY)], WATCH, NASTY)
    assert not does(told).anybody
    assert does(told).links == [f"{WATCH}#t=1"]
    assert "<!channel> & <https://evil.example|click>" in shown(told)


TEXT = st.one_of(st.text(), st.text("<>&*|\N{MAN}", min_size=200, max_size=400))


@settings(deadline=None, max_examples=50)
@given(TEXT, TEXT, st.lists(st.builds(Track, TEXT, TEXT), max_size=5), st.integers(0, 300))
def test_no_transcript_breaks_a_limit(title: str, lines: str, tracks: list[Track], many: int) -> None:
    chapters = [Chapter(number * 60, title) for number in range(many)]
    told = summary(title, 5, tracks, chapters, WATCH + "x" * 100, lines)
    assert not does(told).anybody
    assert notified(told)


def test_what_is_said_first_is_found_in_every_format() -> None:
    vtt = "WEBVTT\n\nNOTE by us\n\n00:01.000 --> 00:02.000\n<v Ann>Hello</v> there &amp; welcome.\nOn!\n"
    for text in (SRT, vtt, "Hello there & welcome.\nOn!"):
        assert first_words(text) == "Hello there & welcome. On!"
