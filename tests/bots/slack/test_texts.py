"""Lists, and what a search found, as Slack shows them: nobody is pinged by words of strangers."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from bots.desk import Asked
from bots.finder import Hit, Hits, Spot
from bots.slack import texts
from shared.errors import Code
from shared.models import JobState, Request
from shared.results import error_view
from shared.search.moments import Moment, Piece
from tests.shared.chat.slack.views import NASTY, VIDEO, a_view, as_sent, does, shown

PAGE = "https://ferry.example/w/token"


def a_hit(*pieces: Piece, title: str = "A film", more: int = 0) -> Hit:
    """A film in which this is said."""
    view = a_view(JobState.DONE, title=title, artifacts=(VIDEO,), watch_url=PAGE)
    return Hit(view, (Spot(Moment(83.5, pieces), f"{PAGE}#t=83"),), more)


def test_what_is_tried_again_is_a_line_in_a_list_and_says_why_alone() -> None:
    error = error_view(Code.NETWORK, "No <!channel> answer.")
    view = a_view(JobState.QUEUED, title="A film", retry_in=9.0, position=2, error=error)
    asked = Asked(Request(id=uuid4()), view)
    assert shown(texts.listed([asked])) == f"`{asked.short_id}` A film · Trying again soon"
    alone = texts.told(asked)
    assert shown(alone).splitlines()[1:] == ["Trying again soon", "No <!channel> answer."]
    assert not does(alone).anybody


def test_moments_lead_to_their_second_and_show_in_bold_what_was_looked_for() -> None:
    told = texts.found(
        Hits((a_hit(Piece("…next "), Piece("budget", True), Piece("s"), more=2),), "/find more.")
    )
    assert does(told).links == [PAGE, f"{PAGE}#t=83"]
    assert shown(told).splitlines() == [
        "A film", "1:23 …next \u200b*budget*\u200bs", "… 2 more in it", "/ferry find more.",
    ]  # fmt: skip
    assert "budget" in told.text and "*" not in told.text


def test_what_is_said_pings_nobody_and_formats_nothing() -> None:
    told = texts.found(Hits((a_hit(Piece(NASTY), Piece(NASTY, True), title=NASTY),), None))
    assert not does(told).anybody
    assert does(told).links == [PAGE, f"{PAGE}#t=83"]
    said = shown(told).split("1:23 ")[1]
    assert said.count("*") == 2, "only what was looked for is bold"
    assert "`" not in said and "_" not in said and "~" not in said


@given(st.lists(st.builds(Piece, st.text(min_size=1), st.booleans())), st.integers(0, 5))
def test_slack_takes_whatever_is_said(pieces: list[Piece], count: int) -> None:
    told = texts.found(Hits((a_hit(*pieces),) * count, "Add a word."))
    as_sent(told)
    assert not does(told).anybody
