"""Where messages are in Slack, and how often they may be called, over an hour that takes no time."""

import itertools

import pytest

from shared.chat.pace import Pace
from shared.chat.slack.chats import BASE, chat_id, place, split_chat, windows

PUBLISHED = 50  # calls of a method a minute that Slack takes from an app in one workspace
JOBS = 60
CHANNELS = [chat_id("T1", f"C{number}") for number in range(7)]


def test_a_chat_is_a_channel_of_a_workspace() -> None:
    assert split_chat(chat_id("T1", "C2")) == ("T1", "C2")
    assert place("T1/C2") == "T1"


@pytest.mark.parametrize("chat", ["C2", "/C2", "T1/", ""])
def test_anything_else_is_no_chat(chat: str) -> None:
    with pytest.raises(ValueError, match="not a Slack chat"):
        split_chat(chat)


def busiest(calls: list[float], seconds: float) -> int:
    """The most calls within so many seconds."""
    return max(sum(start <= call < start + seconds for call in calls) for start in calls)


def test_sixty_jobs_in_a_workspace_stay_within_its_limit_and_every_final_arrives() -> None:
    pace = Pace(windows, BASE)
    messages = [(CHANNELS[number % len(CHANNELS)], number) for number in range(JOBS)]
    waiting: list[tuple[str, float]] = []  # finals, and since when
    calls: list[tuple[float, str]] = []
    waits: list[float] = []
    shown = set()
    for now in map(float, range(1800)):
        if now % 10 == 0:
            waiting.append((CHANNELS[int(now / 10) % len(CHANNELS)], now))
        for chat, since in [*waiting]:
            if pace.wait(chat, now) == 0:
                pace.called(chat, now)
                calls.append((now, chat))
                waits.append(now - since)
                waiting.remove((chat, since))
        for chat, number in sorted(messages, key=lambda each: pace.last_shown(each)):
            if pace.may_show(chat, (chat, number), now, now):
                pace.called(chat, now, (chat, number))
                calls.append((now, chat))
                shown.add(number)
    assert busiest([at for at, _ in calls], 60) < PUBLISHED
    for chat, group in itertools.groupby(sorted(calls, key=lambda call: call[1]), key=lambda call: call[1]):
        assert busiest([at for at, _ in group], 1) == 1, chat
    assert not waiting
    assert max(waits) <= 5
    assert len(shown) == JOBS


def test_workspaces_do_not_wait_for_each_other() -> None:
    pace = Pace(windows, BASE)
    for second in range(45):
        pace.called(f"T1/C{second}", float(second))
    assert pace.wait("T1/C99", 45.0) > 0
    assert pace.wait("T2/C99", 45.0) == 0
