"""A slot that is lent while an attempt listens lets another job begin, within bounds."""

import asyncio

import pytest

from worker.slots import Slots


async def test_a_slot_is_free_again_when_the_attempt_has_ended() -> None:
    slots = Slots(2)
    slots.take()
    slots.take()
    assert slots.free == 0
    waiting = asyncio.create_task(slots.until_free())
    await asyncio.sleep(0)
    assert not waiting.done()
    slots.give_back()
    await asyncio.wait_for(waiting, 30)
    assert slots.free == 1


async def test_whoever_listens_lends_a_slot_and_goes_on_without_waiting() -> None:
    slots = Slots(1)
    slots.take()
    with slots.lent():
        await asyncio.wait_for(slots.until_free(), 30)
        slots.take()
        assert slots.free == 0
    assert slots.free == 0, "two are at work in one slot for a while"
    slots.give_back()
    assert slots.free == 0
    slots.give_back()
    assert slots.free == 1


async def test_no_more_are_lent_than_there_are() -> None:
    slots = Slots(1)
    slots.take()
    with slots.lent():
        slots.take()
        with slots.lent():
            assert slots.free == 0
        assert slots.free == 0
    assert slots.free == 0


async def test_a_slot_comes_back_from_an_attempt_that_was_cancelled_while_it_listened() -> None:
    slots = Slots(1)
    slots.take()
    with pytest.raises(asyncio.CancelledError), slots.lent():
        raise asyncio.CancelledError
    slots.give_back()
    assert slots.free == 1
