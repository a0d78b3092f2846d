"""Sentences that could become too long for Telegram, which refuses them whole."""

from urllib.parse import quote

from bots.desk import Asked
from bots.finder import Hit, Hits, Spot
from bots.telegram import texts
from bots.telegram.access import Known
from shared.ids import new_id
from shared.models import ArtifactKind, JobState, Request, Role
from shared.results import JobView
from shared.search.moments import Moment, Piece
from tests.shared.chat.telegram.views import a_file, a_view, an_error
from tests.telegram import utf16
from tests.telegram.html import parse_html


def asked(view: JobView) -> Asked:
    return Asked(Request(id=new_id()), view)


def seen(text_html: str) -> list[str]:
    """The lines as people see them, in a message that Telegram takes."""
    text, _ = parse_html(text_html)
    assert utf16.length(text) <= 4096
    return text.splitlines()


def test_fifty_languages_in_three_formats() -> None:
    files = [
        a_file(ArtifactKind.CAPTIONS, form, language=f"language-{number}", source="automatic")
        for number in range(50)
        for form in ("txt", "srt", "vtt")
    ]
    lines = seen(texts.told(asked(a_view(JobState.DONE, title="Talk", artifacts=tuple(files)))))
    left_out = len(files) - (len(lines) - 3)
    assert left_out > 0 and lines[-1] == f"and {left_out} more"
    assert "language-0" in lines[2] and len("\n".join(lines)) > 3900


def test_ten_found_films_with_long_addresses() -> None:
    name = "映画" * 40
    url = f"http://localhost:8080/f/token/{quote(name)}.mp4"
    view = a_view(JobState.DONE, title=name, artifacts=(a_file(url=url),))
    lines = seen(texts.found(Hits((Hit(view, (), 0),) * 10, None)))
    assert lines[-1] == "and 6 more" and len(lines) == 2 * 4 + 1, "an address stands under its title"


PAGE = "https://ferry.example.org/w/token"


def a_hit(*pieces: Piece, page: str | None = PAGE, seconds: float = 83.5, more: int = 0) -> Hit:
    """A film in which this is said."""
    view = a_view(JobState.DONE, title="A <film>", artifacts=(a_file(),), watch_url=page)
    return Hit(view, (Spot(Moment(seconds, pieces), page and f"{page}#t=83"),), more)


def test_moments_lead_to_their_second_and_show_in_bold_what_was_looked_for() -> None:
    said = Piece("…next year's "), Piece("Budget", True), Piece(" was <b>not</b> & "), Piece("more", True)
    hit = a_hit(*said, more=4)
    shown = texts.found(Hits((hit,), "Add a word."))
    text, entities = parse_html(shown)
    assert text.splitlines() == [
        "A <film>", "  1:23 …next year's Budget was <b>not</b> & more", "  … 4 more in it", "Add a word.",
    ]  # fmt: skip
    kinds = [(one["type"], one.get("url")) for one in entities]
    assert kinds == [("text_link", PAGE), ("text_link", f"{PAGE}#t=83"), ("bold", None), ("bold", None)]


def test_what_is_said_mentions_nobody() -> None:
    text, _ = parse_html(texts.found(Hits((a_hit(Piece("ask @ann, @"), Piece("bob", True)),), None)))
    assert "@\u2060ann" in text and "@\u2060bob" in text


def test_where_telegram_takes_no_link_the_address_stands_under_the_title_once() -> None:
    page = "http://localhost:8080/w/token"
    lines = seen(texts.found(Hits((a_hit(Piece("Budget", True), page=page),), None)))
    assert lines == ["A <film>", page, "  1:23 Budget"]


def test_everybody_with_a_long_name() -> None:
    known = [Known(str(10**9 + number), Role.ALLOWED, "<&😀>" * 50) for number in range(60)]
    lines = seen(texts.members(known))
    assert lines[-1] == f"and {60 - (len(lines) - 1)} more"


def test_what_fits_is_shown_whole() -> None:
    lines = ["x" * 1023] * 4
    assert texts.fitted(lines) == "\n".join(lines)
    assert texts.fitted([]) == ""


def test_a_list_says_in_a_word_what_its_messages_tell_in_full() -> None:
    view = a_view(JobState.QUEUED, title="Film", retry_in=30.0, position=4, error=an_error())
    (line,) = seen(texts.listed([asked(view)]))
    assert line.endswith(" Film · Trying again soon")
