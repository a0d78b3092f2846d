"""A busy hour in virtual time: nobody is refused, nobody is forgotten, and nobody sees old news."""

from dataclasses import replace
from functools import cache

import pytest

from shared.models import JobState
from tests.shared.chat.simulation import SCENARIOS, Limit, Outcome, simulate

pytestmark = pytest.mark.slow

IN_SLACK = "60 jobs in a Slack workspace"
SLACK = SCENARIOS[IN_SLACK]


@cache
def outcome_of(name: str) -> Outcome:
    """Each hour happens once."""
    return simulate(SCENARIOS[name])


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_busy_hour_stays_within_the_published_limits_and_everybody_is_told(name: str) -> None:
    outcome = outcome_of(name)
    assert outcome.platform.refused == []
    assert len(outcome.late) == SCENARIOS[name].jobs
    assert outcome.late[-1] < 10
    assert outcome.progress > 3 * SCENARIOS[name].jobs
    _check_messages(outcome)


def test_sixty_jobs_leave_a_workspace_below_fifty_calls_in_any_minute() -> None:
    assert 30 < outcome_of(IN_SLACK).most(60) <= 50


def test_a_workspace_that_wants_rest_is_left_alone_for_so_long() -> None:
    begin, end = 1000.0, 1120.0
    outcome = simulate(replace(SLACK, rest=(begin, end)))
    assert 0 < len(outcome.platform.refused) <= 3  # those under way when the first was refused
    assert max(outcome.platform.refused) < begin + 5
    assert not [when for when, _ in outcome.platform.arrivals if begin <= when < end]
    assert len(outcome.late) == SLACK.jobs
    _check_messages(outcome)


def test_finals_arrive_also_where_a_platform_is_stricter_than_it_says() -> None:
    group = replace(
        SCENARIOS["100 jobs in a Telegram group"], limits=lambda chat: [Limit(("minute", chat), 8, 60.0)]
    )
    outcome = simulate(group)
    assert outcome.platform.refused
    assert len(outcome.late) == group.jobs
    _check_messages(outcome)


def _check_messages(outcome: Outcome) -> None:
    """Each message shows ever newer views, none of them old when it arrives, and one final, last."""
    started = {job.request.status_message: job.asked for job in outcome.jobs}
    for message, shown in outcome.platform.shown.items():
        if not shown:  # its post was refused
            continue
        done = [view.progress["done"] for _, view in shown if view.progress]
        assert done == sorted(set(done))
        assert [view.state for _, view in shown].index(JobState.DONE) == len(shown) - 1
        for when, view in shown[1:-1]:
            assert view.progress
            assert when - (started[message] + view.progress["done"]) < 1
