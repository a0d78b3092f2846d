"""When a chat may be called: pure, by a clock of the test's own."""

from math import inf, nextafter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chat.pace import SLACK, SWEEP, Pace, Window, interval

BASE = 3.0


def minute(chat: str, calls: int = 5, progress: int = 3) -> Window:
    """A chat's window of a minute."""
    return Window(chat, calls, 60.0, progress)


def pace_of(*windows: Window, base: float = BASE) -> Pace:
    """A pace with the same windows for each chat."""
    return Pace(lambda _: windows, base)


def remembered(pace: Pace) -> int:
    """How many things it keeps in mind."""
    return sum(len(value) for value in vars(pace).values() if isinstance(value, dict))


def test_a_window_may_be_used_up_at_once_and_opens_when_its_first_call_is_over() -> None:
    pace = pace_of(minute("a", calls=2, progress=1))
    for now in (0.0, 10.0):
        assert pace.wait("a", now) == 0
        pace.called("a", now)
    assert pace.wait("a", 20.0) == pytest.approx(40 + SLACK)
    assert pace.wait("a", 60.0 + SLACK) == 0


def test_progress_leaves_a_share_of_the_window_to_what_matters() -> None:
    pace = pace_of(minute("a", calls=3, progress=2))
    assert pace.may_show("a", "m1", 0, 0.0)
    pace.called("a", 0.0, "m1")
    pace.called("a", 1.0)
    assert not pace.may_show("a", "m2", 0, 2.0)
    assert pace.wait("a", 2.0) == 0
    assert pace.may_show("a", "m2", 0, 60.0 + SLACK)


def test_the_narrowest_of_several_windows_decides() -> None:
    pace = pace_of(Window("a", 1, 1.0, 1), minute("a", calls=2, progress=2))
    pace.called("a", 0.0)
    assert pace.wait("a", 0.0) == pytest.approx(1 + SLACK)
    pace.called("a", 30.0)
    assert pace.wait("a", 35.0) == pytest.approx(25 + SLACK)
    assert not pace.may_show("a", "m", 0, 35.0)


def test_chats_share_the_windows_that_are_equal_and_no_others() -> None:
    shared, own = Window("all", 1, 60.0, 1), minute("a", calls=1, progress=1)
    pace = Pace(lambda chat: {"a": (shared, own), "b": (shared,), "c": ()}[chat], BASE)
    pace.called("a", 0.0)
    assert pace.wait("b", 0.0) > 0
    assert pace.wait("c", 0.0) == 0


def test_windows_of_different_length_of_one_scope_count_apart() -> None:
    pace = pace_of(Window("a", 10, 1.0, 10), Window("a", 2, 60.0, 2))
    pace.called("a", 0.0)
    pace.called("a", 5.0)
    assert pace.wait("a", 10.0) == pytest.approx(50 + SLACK)


@pytest.mark.parametrize("progress", [0, 6])
def test_a_share_that_is_none_or_more_than_all_is_refused(progress: int) -> None:
    with pytest.raises(ValueError, match="progress"):
        minute("a", calls=5, progress=progress)


def test_the_interval_of_a_message_stretches_with_the_age_of_its_job() -> None:
    assert [interval(BASE, age) for age in (-5, 0, 59.9, 60, 300, 1800, inf)] == [3, 3, 3, 6, 12, 30, 30]


def test_a_message_shows_progress_once_in_its_interval_and_others_do_not_wait_for_it() -> None:
    pace = pace_of()
    pace.called("a", 100.0, "m1")
    assert not pace.may_show("a", "m1", 0, 102.9)
    assert pace.may_show("a", "m1", 0, 103.0)
    assert not pace.may_show("a", "m1", 400, 111.9)
    assert pace.may_show("a", "m2", 0, 100.0)


def test_who_was_never_shown_has_waited_longest() -> None:
    pace = pace_of()
    pace.called("a", 7.0, "m1")
    pace.called("a", 5.0, "m2")
    assert sorted(["m1", "m2", "m3"], key=pace.last_shown) == ["m3", "m2", "m1"]
    pace.forget("m1")
    assert pace.last_shown("m1") == -inf


def test_a_refusal_holds_that_chat_alone_for_as_long_as_the_longest_says() -> None:
    pace = pace_of()
    pace.refused("a", 0.0, 30)
    pace.refused("a", 1.0, 5)
    assert pace.wait("a", 10.0) == 20
    assert not pace.may_show("a", "m", 0, 29.9)
    assert pace.wait("b", 10.0) == 0
    assert pace.wait("a", 30.0) == 0
    assert pace.may_show("a", "m", 0, 30.0)


def test_a_refusal_holds_all_chats_of_a_place_where_the_platform_counts_them_together() -> None:
    pace = Pace(lambda _: (), BASE, place=lambda chat: chat.partition("/")[0])
    pace.refused("t/a", 0.0, 30)
    assert (pace.wait("t/b", 0.0), pace.wait("u/a", 0.0)) == (30, 0)


def test_whoever_stands_in_line_waits_also_for_those_ahead() -> None:
    pace = pace_of(minute("a", calls=2, progress=1))
    pace.called("a", 0.0)
    length = 60 + SLACK
    waits = [pace.wait("a", 10.0, ahead) for ahead in range(5)]
    assert waits == pytest.approx([0, length - 10, length, 2 * length - 10, 2 * length])


@given(
    st.lists(st.floats(0, 300), max_size=20),
    st.integers(1, 6),
    st.sampled_from([0.1, 1.0, 1 / 3, 60.0]),
    st.integers(0, 12),
)
def test_a_wait_is_as_long_as_it_takes_those_ahead_to_call_as_soon_as_they_may(
    calls: list[float], most: int, seconds: float, ahead: int
) -> None:
    pace = pace_of(Window("a", most, seconds, 1))
    now = 0.0
    for now in sorted(calls):
        pace.called("a", now)
    told = pace.wait("a", now, ahead)
    begun = now
    for _ in range(ahead):
        now += pace.wait("a", now)
        pace.called("a", now)
    assert told == pytest.approx(now + pace.wait("a", now) - begun, abs=1e-6)


@given(st.lists(st.floats(0, 5), min_size=1, max_size=60), st.integers(1, 6), st.floats(0.1, 60))
def test_no_span_as_long_as_the_window_ever_holds_more_than_its_calls(
    pauses: list[float], most: int, seconds: float
) -> None:
    pace = pace_of(Window("a", most, seconds, 1))
    now, made = 1e6, []
    for pause in pauses:
        now += pause
        for _ in range(3):  # what is left of the wait is a rounding error, and never stays
            now += pace.wait("a", now)
        assert pace.wait("a", now) == 0
        pace.called("a", now)
        made.append(now)
    assert all(later - first > seconds for first, later in zip(made, made[most:], strict=False))


def test_a_wait_that_is_over_by_the_smallest_step_is_over() -> None:
    pace = pace_of(Window("a", 1, 0.1, 1))
    pace.called("a", 1e6 / 3)
    free = 1e6 / 3 + 0.1 + SLACK
    assert pace.wait("a", free) == 0
    assert 0 < pace.wait("a", nextafter(free, 0)) < 1e-9


def test_memory_does_not_grow_with_chats_and_messages_that_are_over() -> None:
    pace = Pace(lambda chat: (minute(chat), Window("all", 25, 1.0, 20)), BASE)
    for number in range(500):
        chat, now = f"c{number}", number * 10.0
        pace.called(chat, now, f"m{number}")
        pace.refused(chat, now, 20)
        pace.forget(f"m{number}")
    assert remembered(pace) < 3 * (60 + SWEEP) / 10
    pace.called("last", 10_000.0)
    assert remembered(pace) == 2


def test_a_busy_chat_is_remembered_no_longer_than_its_window_counts() -> None:
    pace = pace_of(minute("a", calls=5))
    for number in range(100):
        pace.called("a", number / 10)
    assert [len(made) for made in pace._calls.values()] == [5]


def test_what_still_counts_is_remembered_by_every_sweep() -> None:
    pace = pace_of(minute("a", calls=2, progress=1))
    pace.refused("b", 0.0, 1000)
    pace.called("a", SWEEP - 2)
    pace.called("a", SWEEP - 1, "m")
    pace.called("c", SWEEP)
    assert pace.wait("a", SWEEP) > 50
    assert pace.wait("b", SWEEP) == 1000 - SWEEP
    assert pace.last_shown("m") == SWEEP - 1
