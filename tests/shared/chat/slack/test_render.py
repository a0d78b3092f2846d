"""What a status message in Slack reads, whatever the title says."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.chat.slack.blocks import message
from shared.chat.slack.render import is_public, status
from shared.chat.words import GONE
from shared.errors import Code
from shared.models import ArtifactKind, JobState, Stage
from shared.results import Height, JobView, Offers, error_view
from tests.shared.chat.slack.views import (
    ID,
    NASTY,
    PICTURE,
    SRT,
    TXT,
    VIDEO,
    a_view,
    actions,
    artifact,
    as_sent,
    buttons,
    does,
    notified,
    shown,
)

HEX = ID.hex
OFFERS = Offers(
    heights=(Height(height=2160, size_bytes=10**9), Height(height=720, size_bytes=None)),
    has_audio=True, captions=("en",), automatic_captions=(),
)  # fmt: skip


def test_a_running_job_shows_stage_bar_numbers_and_a_way_out() -> None:
    progress = {"done": 4_000_000, "total": 16_000_000, "speed": 2_000_000, "eta": 6}
    told = status(a_view(stage=Stage.DOWNLOAD, progress=progress), ID)
    assert shown(told).splitlines() == [
        "A film",
        "Downloading",
        "████░░░░░░░░░░░░ 25%",
        "4.0 MB of 16.0 MB · 2.0 MB/s · 0:06 left",
        "#23456789",
        "[Cancel]",
    ]
    (button,) = buttons(told)
    assert (button["action_id"], button["style"]) == (f"cancel:{HEX}", "danger")
    assert notified(told).startswith("A film: Downloading ████")


def test_a_queued_job_shows_its_place() -> None:
    told = status(a_view(JobState.QUEUED, title=None, position=3, starts_in=61), ID)
    assert shown(told).splitlines() == [
        "Queued", "#23456789 · number 3 in line · starts in about 1:05", "[Cancel]",
    ]  # fmt: skip


def test_a_job_that_waits_for_another_try_says_why_and_when() -> None:
    error = error_view(Code.THROTTLED, "The site asks me to slow down.")
    told = status(a_view(JobState.QUEUED, retry_in=32.5, error=error), ID)
    assert "Trying again soon. The site asks me to slow down." in shown(told)
    assert "next try in 0:35" in shown(told)


@pytest.mark.parametrize(("code", "label"), [(Code.NETWORK, ["Retry"]), (Code.PRIVATE, [])])
def test_a_failure_offers_another_try_only_where_it_may_help(code: Code, label: list[str]) -> None:
    told = status(a_view(JobState.FAILED, error=error_view(code, "It went wrong & so on.")), ID)
    assert "It went wrong & so on." in shown(told)
    assert [*actions(told)] == label
    assert set(actions(told).values()) <= {f"retry:{HEX}"}


def test_a_cancelled_job_has_no_buttons() -> None:
    told = status(a_view(JobState.CANCELLED), ID)
    assert "Cancelled." in shown(told)
    assert not actions(told)


def test_what_a_link_offers_can_be_chosen() -> None:
    told = status(a_view(JobState.DONE, offers=OFFERS, duration_seconds=83, note="First of 3."), ID)
    assert shown(told).splitlines()[:3] == ["A film", "What shall it be?", "First of 3."]
    assert actions(told) == {
        "2160p · ~1.0 GB": f"choose:{HEX}:best",
        "720p": f"choose:{HEX}:1440p",
        "Audio": f"choose:{HEX}:audio",
        "Transcript": f"choose:{HEX}:transcript",
    }


def test_a_result_shows_the_picture_what_came_and_how_to_get_it() -> None:
    view = a_view(
        JobState.DONE, artifacts=(VIDEO, TXT, SRT, PICTURE), watch_url="https://ferry.example/w/token",
        duration_seconds=83, note="There were no captions in German.",
    )  # fmt: skip
    told = status(view, ID)
    text = shown(told)
    assert "• video · 1080p · mp4 · 12.0 MB" in text
    assert "There were no captions in German." in text
    assert "#23456789 · 1:23 · links work until 27 Jul 15:04 UTC" in text
    assert (VIDEO.download_url, TXT.download_url) == tuple(does(told).links[:2])
    (picture,) = [block["accessory"] for block in told.blocks if "accessory" in block]
    assert (picture["image_url"], picture["alt_text"]) == (PICTURE.url, "A film")
    found = {each["text"]["text"]: each.get("url") for each in buttons(told)}
    assert found == {
        "Watch": "https://ferry.example/w/token",
        "Download": VIDEO.download_url,
        "Share transcript": None,
    }
    assert actions(told)["Share transcript"] == f"share:{HEX}"


def test_a_clip_is_told_by_its_own_length() -> None:
    clip = VIDEO.model_copy(update={"duration_seconds": 45.02})
    assert "· 0:45 ·" in shown(status(a_view(JobState.DONE, artifacts=(clip,), duration_seconds=83), ID))


def test_a_transcript_alone_can_be_read_saved_and_shared() -> None:
    told = status(a_view(JobState.DONE, artifacts=(SRT, TXT), watch_url="https://ferry.example/w/token"), ID)
    found = {each["text"]["text"]: each.get("url") for each in buttons(told)}
    assert found == {
        "Read": "https://ferry.example/w/token",
        "Download": TXT.download_url,
        "Share transcript": None,
    }


def test_files_that_are_gone_are_not_offered() -> None:
    lost = VIDEO.model_copy(update={"url": None, "download_url": None, "expires_at": None})
    told = status(a_view(JobState.DONE, artifacts=(lost,)), ID)
    assert GONE in shown(told)
    assert not actions(told)


@pytest.mark.parametrize(
    ("url", "public"),
    [
        ("https://ferry.example/f/x", True),
        ("http://ferry.example/f/x", False),
        ("https://localhost/f/x", False),
        ("https://10.0.0.7/f/x", False),
        ("https://[::1]/f/x", False),
        ("https://ferry.internal/f/x", False),
        ("https://" + "a" * 3000 + ".example", False),
        ("https://[", False),
    ],
)
def test_a_picture_is_shown_only_where_slack_can_load_it(url: str, public: bool) -> None:
    assert is_public(url) is public
    picture = PICTURE.model_copy(update={"url": url})
    told = status(a_view(JobState.DONE, artifacts=(VIDEO, picture)), ID)
    assert any("accessory" in block for block in told.blocks) is public


def test_a_nasty_title_shows_as_text() -> None:
    told = status(a_view(title=NASTY, stage=Stage.PROBE), ID)
    assert shown(told).startswith(NASTY)
    assert notified(told).startswith(NASTY)
    assert not does(told).anybody
    assert does(told).links == []


TEXTS = st.one_of(st.text(), st.text("<>&!|*`\u202e\N{MAN}\u200d\ud800 ", min_size=300, max_size=1024))
FILES = st.lists(
    st.builds(
        artifact, st.sampled_from([*ArtifactKind]), st.text(max_size=16), language=TEXTS, source=TEXTS,
        download_url=st.just("https://ferry.example/f/" + "%20" * 250 + "?a=1&b=<!here>"),
    ),
    max_size=12,
)  # fmt: skip
VIEWS = st.builds(
    a_view, st.sampled_from([*JobState]), title=st.none() | TEXTS, note=st.none() | TEXTS,
    error=st.builds(error_view, st.just(Code.NETWORK), TEXTS), artifacts=FILES.map(tuple),
    stage=st.none() | st.sampled_from([*Stage]), position=st.none() | st.integers(1, 10**9),
    retry_in=st.none() | st.floats(0, 1e9), starts_in=st.none() | st.floats(0, 1e9),
    offers=st.none() | st.just(OFFERS), watch_url=st.none() | st.just("https://ferry.example/w/token"),
    progress=st.none() | st.fixed_dictionaries({"done": st.floats(0, 1e15), "total": st.floats(0, 1e15)}),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(VIEWS)
def test_no_view_breaks_a_limit_or_pings(view: JobView) -> None:
    told = status(view, ID)
    assert len(told.text) <= 1000
    for form in told.simplified():
        found = does(form)
        assert not found.anybody
        assert not found.names
        assert all(url.startswith("https://ferry.example/") for url in found.links)
        assert notified(form)


@settings(deadline=None)
@given(TEXTS)
def test_any_words_can_be_said(text: str) -> None:
    assert not does(message(text)).anybody
    assert as_sent(message(text * 10))


def test_a_moment_far_away_is_told() -> None:
    late = VIDEO.model_copy(update={"expires_at": datetime(2105, 1, 1, tzinfo=UTC)})
    assert "links work until 1 Jan 00:00 UTC" in shown(status(a_view(JobState.DONE, artifacts=(late,)), ID))
