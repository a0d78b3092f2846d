"""What every queue does: the same tests for the one inside the process and for RabbitMQ."""

import asyncio
from uuid import UUID, uuid4

import pytest

from shared.errors import ConfigError
from shared.queue import EmbeddedQueue, Queue, open_queue
from shared.queue.backlog import WATCHER_BACKLOG
from shared.queue.rabbitmq import RabbitQueue
from tests.shared.queue.conftest import PLACE, SOON, Connect, depth_becomes, take_all, take_one
from tests.waiting import eventually


async def test_what_is_published_can_be_taken_in_order(connect: Connect) -> None:
    bot, worker = await connect(), await connect()
    jobs = [uuid4() for _ in range(5)]
    for job_id in jobs:
        await bot.publish([job_id])
    assert [await take_one(worker) for _ in jobs] == jobs


async def test_many_ids_are_published_at_once(connect: Connect) -> None:
    queue = await connect()
    jobs = [uuid4() for _ in range(300)]
    await queue.publish(jobs)
    assert await queue.depth() == 300
    assert sorted(await take_all(queue, 300)) == sorted(jobs)


async def test_nothing_to_publish_is_fine(connect: Connect) -> None:
    queue = await connect()
    await queue.publish([])
    assert await queue.depth() == 0


async def test_a_taker_waits_for_what_comes_later(connect: Connect) -> None:
    bot, worker = await connect(), await connect()
    taking = asyncio.create_task(take_one(worker))
    await asyncio.sleep(0.1)
    job_id = uuid4()
    await bot.publish([job_id])
    assert await taking == job_id


async def test_an_acked_ticket_never_comes_again(connect: Connect) -> None:
    bot, worker = await connect(), await connect()
    await bot.publish([uuid4()])
    await take_one(worker)
    await worker.close()
    assert await take_all(bot) == []


async def test_a_ticket_given_back_comes_again(connect: Connect) -> None:
    queue = await connect()
    await queue.publish([job_id := uuid4()])
    ticket = await queue.take()
    await ticket.give_back()
    assert await take_one(queue) == job_id


async def test_duplicates_are_two_tickets_and_no_error(connect: Connect) -> None:
    queue = await connect()
    job_id = uuid4()
    await queue.publish([job_id, job_id])
    assert await take_all(queue, 2) == [job_id, job_id]


async def test_the_place_in_a_trace_comes_with_the_ticket_also_when_it_was_given_back(
    connect: Connect,
) -> None:
    queue = await connect()
    await queue.publish([traced := uuid4(), other := uuid4()], {traced: PLACE})
    async with asyncio.timeout(SOON):
        first = await queue.take()
        assert (first.job_id, first.traceparent) == (traced, PLACE)
        await first.give_back()
        got = {ticket.job_id: ticket.traceparent for ticket in [await queue.take(), await queue.take()]}
    assert got == {traced: PLACE, other: None}


async def test_two_workers_share_and_none_gets_what_the_other_has(connect: Connect) -> None:
    bot, one, two = await connect(), await connect(), await connect()
    jobs = [uuid4() for _ in range(100)]
    await bot.publish(jobs)
    taken: list[UUID] = []

    async def work(queue: Queue) -> None:
        while True:
            taken.append(await take_one(queue))

    working = [asyncio.create_task(work(queue)) for queue in (one, two)]
    await eventually(lambda: len(taken) >= 100)
    for task in working:
        task.cancel()
    await asyncio.gather(*working, return_exceptions=True)
    assert sorted(taken) == sorted(jobs)


async def test_a_cancelled_take_loses_nothing(connect: Connect) -> None:
    queue = await connect()
    taking = asyncio.create_task(queue.take())
    await asyncio.sleep(0.1)
    taking.cancel()
    await queue.publish([job_id := uuid4()])
    await asyncio.gather(taking, return_exceptions=True)
    assert taking.cancelled()
    assert await take_one(queue) == job_id


async def test_the_backlog_is_seen_while_a_worker_pauses(connect: Connect) -> None:
    bot, worker = await connect(), await connect()
    await bot.publish([uuid4() for _ in range(10)])
    await take_one(worker)
    await worker.pause()
    await depth_becomes(bot, 9)
    await bot.publish([uuid4()])
    await depth_becomes(bot, 10)


async def test_a_paused_worker_leaves_the_backlog_to_others(connect: Connect) -> None:
    bot, busy, idle = await connect(), await connect(), await connect()
    await bot.publish([uuid4() for _ in range(5)])
    await take_one(busy)
    await busy.pause()
    assert len(await take_all(idle, 4)) == 4


async def test_the_next_take_ends_a_pause(connect: Connect) -> None:
    queue = await connect()
    jobs = [uuid4() for _ in range(3)]
    await queue.publish(jobs)
    taken = []
    for left in (2, 1, 0):
        taken.append(await take_one(queue))
        await queue.pause()
        await depth_becomes(queue, left)
    assert sorted(taken) == sorted(jobs)


async def test_pausing_twice_or_before_taking_is_fine(connect: Connect) -> None:
    queue = await connect()
    await queue.pause()
    await queue.publish([job_id := uuid4()])
    await queue.pause()
    await queue.pause()
    assert await take_one(queue) == job_id


async def test_closing_gives_back_what_nobody_took(connect: Connect) -> None:
    bot, worker = await connect(), await connect()
    jobs = [uuid4() for _ in range(5)]
    await bot.publish(jobs)
    first = await take_one(worker)
    await worker.close()
    await depth_becomes(bot, 4)
    assert sorted([first, *await take_all(bot, 4)]) == sorted(jobs)


async def test_events_reach_every_watcher_of_the_job_and_no_other(connect: Connect) -> None:
    worker, web, terminal = await connect(), await connect(), await connect()
    job_id, other = uuid4(), uuid4()
    async with (
        web.watch(job_id) as seen,
        terminal.watch(job_id) as also_seen,
        web.watch(other) as elsewhere,
        asyncio.timeout(SOON),
    ):
        await worker.publish_event(job_id, {"percent": 40.5, "stage": "download"})
        await worker.publish_event(other, {"ended": True})
        assert await anext(seen) == {"percent": 40.5, "stage": "download"}
        assert await anext(also_seen) == {"percent": 40.5, "stage": "download"}
        assert await anext(elsewhere) == {"ended": True}


async def test_events_that_nobody_watches_are_forgotten(connect: Connect) -> None:
    queue = await connect()
    job_id = uuid4()
    await queue.publish_event(job_id, {"percent": 1})
    await asyncio.sleep(0.1)
    async with queue.watch(job_id) as events, asyncio.timeout(SOON):
        await queue.publish_event(job_id, {"percent": 2})
        assert await anext(events) == {"percent": 2}


async def test_a_slow_watcher_misses_the_oldest_events(connect: Connect) -> None:
    worker, web = await connect(), await connect()
    job_id = uuid4()
    async with web.watch(job_id) as slow, web.watch(job_id) as quick, asyncio.timeout(SOON):
        last = WATCHER_BACKLOG * 10
        for number in range(last + 1):
            await worker.publish_event(job_id, {"number": number})
            await anext(quick)
        seen = [(await anext(slow))["number"]]
        while seen[-1] != last:  # which it may get a moment later than the quick one
            seen.append((await anext(slow))["number"])
        assert WATCHER_BACKLOG <= len(seen) <= last, "the oldest are missing"
        assert seen == list(range(seen[0], last + 1))


async def test_a_watcher_may_give_up_waiting_and_wait_again(connect: Connect) -> None:
    queue = await connect()
    job_id = uuid4()
    async with queue.watch(job_id) as events:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await anext(events)
        await queue.publish_event(job_id, {"percent": 3})
        async with asyncio.timeout(SOON):
            assert await anext(events) == {"percent": 3}


async def test_cancels_reach_every_listener_quickly(connect: Connect) -> None:
    bot, one, two = await connect(), await connect(), await connect()
    async with one.cancels() as to_one, two.cancels() as to_two, asyncio.timeout(SOON):
        job_id = uuid4()
        await bot.publish_cancel(job_id)
        assert [await anext(to_one), await anext(to_two)] == [job_id, job_id]


async def test_a_cancel_without_listeners_is_no_error(connect: Connect) -> None:
    queue = await connect()
    await queue.publish_cancel(uuid4())


async def test_there_are_no_dead_letters_at_first(connect: Connect) -> None:
    queue = await connect()
    assert await queue.dead_letters() == []
    assert await queue.purge_dead() == 0


def test_the_address_decides_which_queue_it_is() -> None:
    assert isinstance(open_queue("embedded"), EmbeddedQueue)


def test_amqp_addresses_are_rabbitmq() -> None:
    assert isinstance(open_queue("amqp://host"), RabbitQueue)
    assert isinstance(open_queue("amqps://user:word@host:5671/vhost?heartbeat=30"), RabbitQueue)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "redis://user:hunter2@host",
        "amqp:///",
        "amqp://user:hunter2@host:port",
        "amqp://user:hunter2#@host",
    ],
)
def test_other_addresses_are_refused_in_a_sentence_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match="LINKFERRY_QUEUE_URL must be") as refusal:
        open_queue(url)
    assert "hunter2" not in str(refusal.value)
    assert isinstance(refusal.value, ConfigError)


async def test_ids_stay_uuids_on_the_way(connect: Connect) -> None:
    queue = await connect()
    await queue.publish([UUID("018f4b6e-7c1a-7def-8abc-0123456789ab")])
    assert await take_one(queue) == UUID("018f4b6e-7c1a-7def-8abc-0123456789ab")
