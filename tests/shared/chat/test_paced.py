"""Whoever calls, and whenever: each message is called for in order, and each chat at its pace."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

import shared.chat.paced
from shared.chat.pace import SLACK, Window
from shared.chat.paced import PATIENCE, PacedClient
from shared.chat.port import ChatMoved, MessageGone, Throttled
from shared.models import JobState
from tests.shared.chat.fakes import FINAL, SlowChat, a_request, a_view, paced
from tests.shared.chat.virtual import run_virtually, virtual_now

RUNNING, DONE = JobState.RUNNING, JobState.DONE
SECOND = Window("a", 1, 1.0, 1)
STEP = 1 + SLACK  # seconds between two calls of that window


def virtually(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run the test in virtual time."""

    @wraps(test)
    def run(*args: Any, **fixtures: Any) -> None:
        run_virtually(test(*args, **fixtures))

    return run


async def ended(*calls: Coroutine[Any, Any, object]) -> list[object]:
    """What all of them came to, also when that is an error."""
    return await asyncio.gather(*calls, return_exceptions=True)


async def began(call: Coroutine[Any, Any, object], after: float = 0.1) -> asyncio.Task[object]:
    """The call, under way for so long."""
    task = asyncio.create_task(call)
    await asyncio.sleep(after)
    return task


async def cancelled(task: asyncio.Task[object]) -> None:
    """Cancel it, and wait until it has ended."""
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


# one message


@virtually
async def test_two_who_post_for_one_request_post_once() -> None:
    chat = SlowChat()
    client, request = paced(chat), a_request(None)
    assert await ended(client.post(request, a_view()), client.post(request, a_view())) == ["posted-0"] * 2
    assert await client.post(request, a_view()) == "posted-0"
    assert len(chat.calls) == 1


@virtually
async def test_a_post_that_failed_is_made_by_the_next_who_waits() -> None:
    chat = SlowChat(errors=[ConnectionError()])
    client, request = paced(chat), a_request(None)
    first, second = await ended(client.post(request, a_view()), client.post(request, a_view()))
    assert isinstance(first, ConnectionError)
    assert second == "posted-1"


@virtually
async def test_a_post_that_was_cancelled_under_way_leaves_the_way_free() -> None:
    chat = SlowChat()
    client, request = paced(chat), a_request(None)
    await cancelled(await began(client.post(request, a_view())))
    assert await client.post(request, a_view()) == "posted-1"


@virtually
async def test_a_request_whose_chat_has_moved_gets_a_new_message_there() -> None:
    client, request = paced(SlowChat()), a_request(None)
    assert await client.post(request, a_view()) == "posted-0"
    request.chat_id = "new"
    assert await client.post(request, a_view()) == "posted-1"


@virtually
async def test_the_final_edit_waits_for_progress_under_way_and_nothing_is_shown_after_it() -> None:
    chat = SlowChat()
    client, request = paced(chat), a_request()
    showing = await began(client.show(request, "m", a_view(1)))
    final = await began(client.edit(request, "m", FINAL))
    assert await client.show(request, "m", a_view(2)) is False
    await asyncio.gather(showing, final)
    assert await client.show(request, "m", a_view(3)) is False
    assert (chat.states, chat.overlaps) == ([RUNNING, DONE], 0)


@virtually
async def test_a_final_edit_that_failed_is_not_final() -> None:
    chat = SlowChat(errors=[ConnectionError(), None])
    client, request = paced(chat), a_request()
    await ended(client.edit(request, "m", FINAL))
    assert await client.show(request, "m", a_view()) is True
    await client.edit(request, "m", FINAL)
    assert await client.show(request, "m", a_view()) is False


@virtually
async def test_progress_goes_on_after_the_final_edit_once_the_request_is_reopened() -> None:
    chat = SlowChat()
    client, request = paced(chat), a_request()
    await client.edit(request, "m", FINAL)
    client.reopen(request.id)
    assert await client.show(request, "m", a_view()) is True
    assert chat.states == [DONE, RUNNING]


@virtually
async def test_another_request_that_takes_over_the_message_may_show_its_progress() -> None:
    client = paced(SlowChat())
    await client.edit(a_request(), "m", FINAL)
    assert await client.show(a_request(), "m", a_view()) is True


@virtually
async def test_messages_of_one_chat_do_not_wait_for_each_other() -> None:
    chat = SlowChat(seconds=10)
    client = paced(chat)
    await ended(client.show(a_request("m1"), "m1", a_view()), client.edit(a_request("m2"), "m2", FINAL))
    assert chat.times == [0, 0]


# turns


@virtually
async def test_progress_takes_its_turn_only_at_the_interval_of_its_age() -> None:
    client, request = paced(SlowChat()), a_request()
    taken = []
    for _ in range(7):
        taken.append(client.take_turn(request, age=0))
        await asyncio.sleep(1)
    assert taken == [True, False, False, True, False, False, True]
    assert client.last_shown(request) == 6
    assert not client.take_turn(request, age=1e6)


@virtually
async def test_progress_stands_back_while_a_final_edit_waits_in_the_same_chat() -> None:
    client, finished, other = paced(SlowChat(), SECOND), a_request("m1"), a_request("m2")
    assert client.take_turn(other, age=0)
    await asyncio.sleep(0.5)
    final = await began(client.edit(finished, "m1", FINAL), after=STEP - 0.5)  # its turn comes just now
    assert not client.take_turn(a_request("m3"), age=0)
    await final
    await asyncio.sleep(STEP)
    assert client.take_turn(a_request("m3"), age=0)


@virtually
async def test_calls_that_wait_are_made_in_the_order_in_which_they_came() -> None:
    chat = SlowChat(seconds=0.1)
    client = paced(chat, SECOND)
    requests = [a_request(f"m{number}") for number in range(4)]
    await ended(*(client.edit(request, str(request.status_message), FINAL) for request in requests))
    assert [message for _, message, _ in chat.calls] == ["m0", "m1", "m2", "m3"]
    assert chat.times == [round(number * STEP, 1) for number in range(4)]


@virtually
async def test_whoever_would_wait_too_long_in_line_is_told_at_once_for_how_long() -> None:
    chat = SlowChat(seconds=0.1)
    client = paced(chat, SECOND)
    came = await ended(*(client.edit(a_request(str(n)), str(n), FINAL) for n in range(30)))
    refused = [each.seconds for each in came if isinstance(each, Throttled)]
    assert len(chat.calls) == int(PATIENCE / STEP) + 1 == 30 - len(refused)
    assert refused == pytest.approx([len(chat.calls) * STEP] * len(refused))
    await client.edit(a_request(), "m", FINAL)  # they have come and gone, so there is room again


@virtually
async def test_a_turn_may_be_waited_for_longer_by_whoever_wants_to() -> None:
    client = paced(SlowChat(), Window("a", 1, 60.0, 1))
    async with client.turn("a"):
        pass
    async with client.turn("a", patience=100):
        assert virtual_now() == pytest.approx(60 + SLACK)


@virtually
async def test_whoever_is_cancelled_in_line_holds_up_nobody_and_takes_no_turn() -> None:
    chat = SlowChat(seconds=0.1)
    client = paced(chat, SECOND)
    await client.edit(a_request("m0"), "m0", FINAL)
    first = await began(client.edit(a_request("m1"), "m1", FINAL))
    second = await began(client.edit(a_request("m2"), "m2", FINAL))
    third = await began(client.edit(a_request("m3"), "m3", FINAL))
    await cancelled(second)
    await cancelled(first)
    await third
    assert [message for _, message, _ in chat.calls] == ["m0", "m3"]
    assert chat.times == [0, round(STEP, 1)]
    await asyncio.sleep(STEP)
    assert client.take_turn(a_request(), age=0)


# refusals


@pytest.mark.parametrize("call", ["post", "edit", "show"])
@virtually
async def test_a_refused_call_holds_its_chat_and_no_other(call: str) -> None:
    chat = SlowChat(seconds=0.1, errors=[Throttled(30)])
    client = paced(chat)
    assert isinstance((await ended(_call(client, call, "a")))[0], Throttled)
    assert not client.take_turn(a_request(chat="a"), age=0)
    assert client.take_turn(a_request(chat="b"), age=0)
    with pytest.raises(Throttled) as told:
        await client.edit(a_request(chat="a"), "m", FINAL)
    assert told.value.seconds == pytest.approx(30)
    await asyncio.sleep(30)
    await client.edit(a_request(chat="a"), "m", FINAL)
    assert len(chat.calls) == 2


async def _call(client: PacedClient, how: str, chat: str) -> object:
    request = a_request(None if how == "post" else "m", chat)
    if how == "post":
        return await client.post(request, a_view())
    return await (client.edit if how == "edit" else client.show)(request, "m", a_view())


@virtually
async def test_a_refusal_reaches_those_who_stand_in_line_already() -> None:
    chat = SlowChat(seconds=0.5, errors=[Throttled(30)])
    client = paced(chat, SECOND)
    calls = (client.edit(a_request(f"m{number}"), f"m{number}", FINAL) for number in range(3))
    came = await ended(*calls)
    assert [type(each) for each in came] == [Throttled] * 3
    assert len(chat.calls) == 1


@pytest.mark.parametrize("error", [MessageGone(), ChatMoved("b"), ConnectionError()])
@virtually
async def test_other_errors_reach_the_caller_and_hold_nobody(error: Exception) -> None:
    client = paced(SlowChat(errors=[error]))
    assert await ended(client.edit(a_request(), "m", FINAL)) == [error]
    assert client.take_turn(a_request(), age=0)


# memory


@virtually
async def test_only_requests_of_late_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.chat.paced, "REMEMBERED", 3)
    chat = SlowChat(seconds=0)
    client = paced(chat)
    for _ in range(10):
        request = a_request(None)
        message = await client.post(request, a_view())
        client.take_turn(request, age=0)
        await client.edit(request, message, FINAL)
        client.forget(request.id)
    assert len(client._posted) == len(client._final) == 3
    assert not client._locks._locks
    assert not client._waiting
    assert not client.pace._edited
