"""The retry policy: what is tried again, when, and what makes a site rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import FAILURES, Code, Retry
from shared.retry import MAX_COOL_DOWN, MAX_DELAY, MAX_FAILURES, after_failure


def longest(low: float, high: float) -> float:
    """The largest of the chances that full jitter has."""
    return high


def shortest(low: float, high: float) -> float:
    """The smallest."""
    return low


@pytest.mark.parametrize("code", [code for code in Code if FAILURES[code].retry is Retry.NEVER])
def test_what_trying_again_cannot_mend_fails_at_once(code: Code) -> None:
    assert after_failure(code, 1, None, longest).retry_in is None


def test_a_network_failure_is_tried_again_ever_later() -> None:
    delays = [after_failure(Code.NETWORK, n, None, longest).retry_in for n in range(1, MAX_FAILURES)]
    assert delays == [4, 8, 16, 32]


def test_a_full_disk_gets_time_to_be_cleared() -> None:
    assert after_failure(Code.DISK_FULL, 1, None, shortest).retry_in == 60


def test_jitter_is_full() -> None:
    assert after_failure(Code.NETWORK, 3, None, shortest).retry_in == 0


def test_after_the_last_failure_there_is_no_retry() -> None:
    assert after_failure(Code.NETWORK, MAX_FAILURES, None, longest).retry_in is None


def test_throttling_rests_the_site_for_as_long_as_it_asked() -> None:
    verdict = after_failure(Code.THROTTLED, 1, 90, shortest)
    assert verdict.cool_down == 90
    assert verdict.retry_in == 90


@pytest.mark.parametrize("code", [Code.THROTTLED, Code.SITE_ERROR])
def test_nobody_is_asked_sooner_than_they_said(code: Code) -> None:
    assert after_failure(code, 1, 7200, shortest).retry_in == 7200


def test_throttling_without_a_wish_rests_the_site_ever_longer() -> None:
    rests = [after_failure(Code.BOT_CHECK, n, None, shortest).cool_down for n in (1, 2, 3)]
    assert rests == [30, 60, 120]


def test_a_busy_site_is_not_rested_for_everybody() -> None:
    assert after_failure(Code.SITE_ERROR, 1, 20, shortest).cool_down is None


@given(code=st.sampled_from(list(Code)), failures=st.integers(1, 50), asked=st.none() | st.floats(0, 1e9))
def test_no_wait_is_negative_or_endless(code: Code, failures: int, asked: float | None) -> None:
    verdict = after_failure(code, failures, asked, longest)
    longest_rest = max(MAX_COOL_DOWN, asked or 0)
    assert verdict.retry_in is None or 0 <= verdict.retry_in <= longest_rest + MAX_DELAY
    assert verdict.cool_down is None or 0 <= verdict.cool_down <= longest_rest
