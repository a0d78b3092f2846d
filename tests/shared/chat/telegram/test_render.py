"""What people read in Telegram, state by state."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chat.files import is_linkable
from shared.chat.telegram.markup import MAX_CAPTION, MAX_TEXT, cut, units
from shared.chat.telegram.render import NO_PUBLIC_URL, ONE_FILE, Message, status
from shared.chat.words import GONE
from shared.models import ArtifactKind, JobState, Stage
from shared.results import JobView
from tests.shared.chat.telegram.views import ASKED, HOST, a_file, a_view, an_error
from tests.telegram import utf16
from tests.telegram.html import parse_html

FILM = a_file(height=1080, size_bytes=12_345_678, duration_seconds=80.0)
NAME = ASKED.hex


def shown(view: JobView, **how: Any) -> Message:
    return status(view, ASKED, **{"can_link": True} | how)


def lines(view: JobView, **how: Any) -> list[str]:
    return shown(view, **how).text_html.splitlines()


def buttons(view: JobView, **how: Any) -> list[list[tuple[str, str | None]]]:
    return [[(each.label, each.data or each.url) for each in row] for row in shown(view, **how).buttons]


CANCEL = [[("Cancel", f"cancel:{NAME}")]]


def test_a_queued_job_says_its_place_and_how_long_that_takes() -> None:
    assert lines(a_view(JobState.QUEUED)) == ["Queued"]
    view = a_view(JobState.QUEUED, position=3, starts_in=81.0)
    assert lines(view) == ["Queued · number 3 in line · starts in about 1:25"]
    assert buttons(view) == CANCEL


def test_a_job_that_is_tried_again_says_why_and_when() -> None:
    view = a_view(JobState.QUEUED, retry_in=17.2, error=an_error("The site rests."), title="Film", position=1)
    assert lines(view) == ["<b>Film</b>", "Trying again soon. The site rests. · next try in 0:20"]
    assert buttons(view) == CANCEL


def test_a_running_job_shows_stage_bar_size_speed_and_time_left() -> None:
    assert lines(a_view()) == ["Starting"]
    assert lines(a_view(stage=Stage.PROBE)) == ["Looking at the link"]
    progress = {"done": 6e6, "total": 12e6, "speed": 1.5e6, "eta": 4}
    view = a_view(stage=Stage.DOWNLOAD, title="A <b>bold</b> & brave film", progress=progress)
    assert lines(view) == [
        "<b>A &lt;b&gt;bold&lt;/b&gt; &amp; brave film</b>",
        "Downloading",
        "██████░░░░░░ 50%",
        "6.0 MB of 12.0 MB · 1.5 MB/s · 0:04 left",
    ]
    assert buttons(view) == CANCEL


def test_a_failure_says_what_to_do_and_offers_to_try_again_only_where_that_may_help() -> None:
    passing = a_view(JobState.FAILED, error=an_error("The <site> broke. Send it again later."))
    assert lines(passing) == ["The &lt;site&gt; broke. Send it again later."]
    assert buttons(passing) == [[("Retry", f"retry:{NAME}")]]
    final = a_view(JobState.FAILED, title="Film", error=an_error("This video is private.", is_passing=False))
    assert lines(final) == ["<b>Film</b>", "This video is private."]
    assert buttons(final) == []


def test_a_cancelled_job_says_so_and_no_more() -> None:
    view = a_view(JobState.CANCELLED)
    assert lines(view) == ["Cancelled. Send the link again whenever you like."]
    assert buttons(view) == []


def test_a_link_that_was_looked_at_is_a_question_with_what_it_offers() -> None:
    offers = {
        "heights": ({"height": 1080, "size_bytes": 52_000_000}, {"height": 480, "size_bytes": None}),
        "has_audio": True, "captions": ("en",), "automatic_captions": (),
    }  # fmt: skip
    view = a_view(JobState.DONE, title="Film", duration_seconds=80.0, note="The first of 12.", offers=offers)
    assert lines(view) == ["<b>Film · 1:20</b>", "What shall it be?", "<i>The first of 12.</i>"]
    nameless = view.model_copy(update={"title": None, "duration_seconds": None, "note": None})
    assert lines(nameless) == ["What shall it be?"]
    assert buttons(view) == [
        [("1080p · ~52.0 MB", f"choose:{NAME}:best"), ("480p", f"choose:{NAME}:720p")],
        [("Audio", f"choose:{NAME}:audio"), ("Transcript", f"choose:{NAME}:transcript")],
    ]


def test_a_film_says_what_it_is_and_how_long_its_links_live() -> None:
    view = a_view(JobState.DONE, title="Film", note="No 2160p there.", artifacts=(FILM,))
    assert lines(view, because="It is too large.") == [
        "<b>Film</b>",
        "video · 1080p · mp4 · 12.3 MB · 1:20",
        "<i>No 2160p there.</i>",
        "It is too large.",
        "Links work until 24 Nov 15:04 UTC",
    ]
    expected = [[("Watch", f"{HOST}/show/video/Film.mp4"), ("Download", f"{HOST}/save/video/Film.mp4")]]
    assert buttons(view) == buttons(view, carries_file=True) == expected
    assert "too large" not in shown(view, carries_file=True, because="It is too large.").text_html


def test_without_a_public_address_a_film_in_the_message_needs_no_word_about_it() -> None:
    view = a_view(JobState.DONE, title="Film", artifacts=(FILM,))
    assert lines(view, can_link=False, carries_file=True) == [
        "<b>Film</b>", "video · 1080p · mp4 · 12.3 MB · 1:20",
    ]  # fmt: skip
    assert lines(view, can_link=False)[2:] == [
        NO_PUBLIC_URL,
        f"<code>{HOST}/save/video/Film.mp4</code>",
        "It works until 24 Nov 15:04 UTC",
    ]
    assert buttons(view, can_link=False) == [] and "LINKFERRY_" not in NO_PUBLIC_URL


def test_without_a_public_address_it_says_how_to_get_the_other_files() -> None:
    text, cues = (a_file(kind, form, language="en", source="manual") for kind, form in (
        (ArtifactKind.TRANSCRIPT, "txt"), (ArtifactKind.CAPTIONS, "srt"),
    ))  # fmt: skip
    for files, says in (((FILM, text), True), ((text, cues), True), ((text,), False), ((FILM,), False)):
        view = a_view(JobState.DONE, title="Film", artifacts=files)
        for carries in (True, False):
            assert (lines(view, can_link=False, carries_file=carries)[-1] == ONE_FILE) is says
        assert ONE_FILE not in lines(view), "with links there are buttons"


def test_watch_leads_to_the_page_that_plays_it() -> None:
    page = "https://ferry.example.org/w/token"
    film = a_view(JobState.DONE, artifacts=(FILM,), watch_url=page)
    assert buttons(film)[0] == [("Watch", page), ("Download", f"{HOST}/save/video/Film.mp4")]
    text = a_file(ArtifactKind.TRANSCRIPT, "txt", language="en", source="manual")
    talk = a_view(JobState.DONE, artifacts=(text,), watch_url=page)
    assert [row[0] for row in buttons(talk)] == [
        ("Read", page), ("Transcript", f"{HOST}/save/transcript/Film.txt"),
    ]  # fmt: skip


def test_plain_words_have_no_markup_and_no_buttons_but_the_links() -> None:
    view = a_view(JobState.DONE, title="A <film>", artifacts=(FILM,))
    message = shown(view, is_plain=True)
    assert message.buttons == () and "<b>" not in message.text_html
    assert message.text_html.splitlines()[0] == "A &lt;film&gt;"
    assert message.text_html.endswith(f"\nDownload: {HOST}/save/video/Film.mp4")


def test_no_message_is_empty() -> None:
    assert lines(a_view(JobState.FAILED, error=an_error(""))) == ["Failed"]


def test_transcripts_say_their_language_and_who_made_them() -> None:
    def track(form: str, language: str, source: str) -> Any:
        kind = ArtifactKind.TRANSCRIPT if form == "txt" else ArtifactKind.CAPTIONS
        return a_file(kind, form, language=language, source=source)

    one = a_view(JobState.DONE, title="Talk", artifacts=(track("txt", "de", "manual"),))
    assert lines(one)[1] == "transcript · German · made by people · txt 3.0 kB"
    assert buttons(one) == [[("Transcript", f"{HOST}/save/transcript/Film.txt")]]
    files = [track(form, "en", "automatic") for form in ("txt", "srt", "vtt")]
    three = a_view(JobState.DONE, artifacts=tuple(files))
    assert lines(three)[0] == "transcript · English · made automatically · txt 3.0 kB, srt 3.0 kB, vtt 3.0 kB"
    assert [[label for label, _ in row] for row in buttons(three)] == [
        ["Transcript TXT", "Transcript SRT", "Transcript VTT"]
    ]
    many = [track("txt", f"l{number}", "manual") for number in range(9)]
    crowd = a_view(JobState.DONE, artifacts=(FILM, *many))
    assert lines(crowd)[7] == "and 3 more languages"
    labels = [label for row in buttons(crowd) for label, _ in row]
    assert labels == ["Watch", "Download", *(f"Transcript l{number}" for number in range(6))]


def test_a_short_transcript_is_quoted_and_a_long_one_is_not() -> None:
    text = a_file(ArtifactKind.TRANSCRIPT, "txt", language="en", source="manual")
    view = a_view(JobState.DONE, title="Talk", artifacts=(text,))
    quoted = shown(view, carries_file=True, transcript="One <two>\n\n three & four.\n")
    assert quoted.text_html.endswith("<blockquote expandable>One &lt;two&gt;\nthree &amp; four.</blockquote>")
    assert "blockquote" not in shown(view, carries_file=True, transcript="long " * 200).text_html
    assert "blockquote" in shown(view, transcript="long " * 200).text_html


def test_files_that_are_gone_have_no_buttons() -> None:
    gone = a_file(url=None, download_url=None, expires_at=None)
    view = a_view(JobState.DONE, title="Film", artifacts=(gone,))
    assert lines(view)[-1] == GONE
    assert buttons(view) == []
    assert lines(a_view(JobState.DONE)) == [GONE]


def test_a_title_mentions_nobody_and_turns_no_words_around() -> None:
    view = a_view(title="Hi @ann, mail a@b.c\n\x1b[31m\u202eevil", stage=Stage.STORE)
    assert lines(view) == ["<b>Hi @\u2060ann, mail a@b.c [31mevil</b>", "Storing"]


@pytest.mark.parametrize(
    ("address", "fits"),
    [
        ("https://ferry.example.org", True), ("http://93.184.216.34:8080", True),
        ("http://[2606:2800:220:1::]/f", True), ("https://a.b.", True),
        ("http://localhost:8080", False), ("http://127.0.0.1:8080", False), ("http://192.168.1.5", False),
        ("http://[::1]:8080", False), ("http://nas:8080", False), ("https://nas.local", False),
        ("https://ferry.localhost", False), ("ftp://ferry.example.org", False), ("https://", False),
        ("https://[broken", False), ("", False),
    ],
)  # fmt: skip
def test_only_addresses_that_others_can_open_become_buttons(address: str, fits: bool) -> None:
    assert is_linkable(address) is fits


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=50), st.integers(1, 60))
def test_a_cut_text_is_no_longer_than_asked_and_still_a_text(text: str, most: int) -> None:
    short = cut(text, most)
    assert units(short) <= most
    short.encode("utf-16")
    assert short == text or short.endswith("…")


WILD = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="<>&\"'/ab@#\n\u200d😀é\u202e\0 ", max_size=80),
    st.builds(lambda text, times: text * times, st.text(min_size=1, max_size=8), st.integers(1, 1024)),
)


@given(data=st.data())
def test_no_words_of_a_site_break_the_markup_or_the_limits(data: st.DataObject) -> None:
    wild = lambda: data.draw(WILD)  # noqa: E731
    text = a_file(ArtifactKind.TRANSCRIPT, "txt", language=wild()[:35], source=wild()[:32])
    view = a_view(
        data.draw(st.sampled_from(JobState)),
        title=wild()[:1024], note=wild()[:1024], error=an_error(wild()[:1024]),
        stage=data.draw(st.sampled_from(Stage)), retry_in=data.draw(st.none() | st.floats(0, 1e6)),
        position=data.draw(st.none() | st.integers(0, 10**6)),
        starts_in=data.draw(st.none() | st.floats(0, 1e6)),
        duration_seconds=data.draw(st.none() | st.floats(0, 1e7)),
        artifacts=data.draw(st.sampled_from([(), (FILM,), (text,), (FILM, text, text)])),
        progress={"done": data.draw(st.floats(0, 1e13)), "total": data.draw(st.floats(0, 1e13))},
        offers=data.draw(st.none() | st.just(
            {"heights": (), "has_audio": False, "captions": ("en",), "automatic_captions": ()}
        )),
    )  # fmt: skip
    carries = data.draw(st.booleans())
    message = status(
        view,
        ASKED,
        can_link=data.draw(st.booleans()),
        carries_file=carries,
        because=wild(),
        transcript=wild(),
        is_plain=data.draw(st.booleans()),
    )
    seen, _ = parse_html(message.text_html)
    assert utf16.length(seen) <= (MAX_CAPTION if carries else MAX_TEXT)
    assert seen.strip() or carries
    assert all(
        len((each.data or "").encode()) <= 64 and each.label for row in message.buttons for each in row
    )
