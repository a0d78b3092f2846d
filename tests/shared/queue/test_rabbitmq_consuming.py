"""Taking jobs across cut connections, killed workers, and messages nobody understands."""

import asyncio
from uuid import UUID, uuid4

import pika
import pytest

from shared.queue.amqp.topology import DEAD, JOBS
from tests.services import (
    PrivateRabbit,
    TcpProxy,
)
from tests.shared.queue.conftest import (
    SOON,
    ConnectTo,
    at,
    depth_becomes,
    publish_until_confirmed,
    said,
    take_all,
    take_one,
)
from tests.waiting import eventually


def put(rabbit: PrivateRabbit, body: bytes) -> None:
    """A message into the job queue that Linkferry did not write."""
    with rabbit.admin() as connection:
        connection.channel().basic_publish("", JOBS, body)


async def test_the_taker_survives_cut_connections_and_gets_everything(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    jobs = {uuid4() for _ in range(300)}
    taken: set[UUID] = set()

    async def work() -> None:
        while taken != jobs:
            ticket = await worker.take()
            await ticket.ack()
            taken.add(ticket.job_id)

    async with asyncio.timeout(120), asyncio.TaskGroup() as group:  # a slow disk has to take each of them
        group.create_task(work())
        for number, job_id in enumerate(jobs):
            await bot.publish([job_id])
            if number % 100 == 50:
                proxy.cut()

    async def nothing_comes() -> bool:
        return await take_all(worker) == []  # but what a cut took the ack of, once more

    await eventually(nothing_comes)


async def test_an_ack_on_a_dead_connection_is_logged_and_the_job_comes_again(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo, caplog: pytest.LogCaptureFixture
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    await bot.publish([job_id := uuid4()])
    ticket = await worker.take()
    proxy.cut()
    await said(caplog, "trying until it works")
    await ticket.ack()
    assert "comes again" in caplog.text
    assert await take_one(worker) == job_id


async def test_giving_back_on_a_dead_connection_is_no_error(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo, caplog: pytest.LogCaptureFixture
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    await bot.publish([job_id := uuid4()])
    ticket = await worker.take()
    proxy.cut()
    await said(caplog, "trying until it works")
    await ticket.give_back()
    assert await take_all(worker, 1) == [job_id]


async def test_what_a_killed_worker_held_goes_to_another(
    connect_rabbit: ConnectTo, rabbit: PrivateRabbit
) -> None:
    bot = await connect_rabbit()
    await bot.publish([job_id := uuid4()])
    with rabbit.admin() as killed:
        assert killed.channel().basic_get(JOBS)[2] == str(job_id).encode()
        await depth_becomes(bot, 0)
    assert await take_one(bot) == job_id


async def test_giving_back_very_often_makes_no_dead_letter(connect_rabbit: ConnectTo) -> None:
    queue = await connect_rabbit()
    await queue.publish([job_id := uuid4()])
    for _ in range(50):  # brokers from 4.0 bury after 20 when nothing is said
        ticket = await queue.take()
        await ticket.give_back()
    assert await queue.dead_letters() == []
    assert await take_one(queue) == job_id


async def test_a_pause_during_an_outage_holds_after_it(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    await bot.publish([uuid4() for _ in range(5)])
    await worker.take()  # without an ack, which the cut might overtake
    proxy.cut()
    await worker.pause()
    await depth_becomes(bot, 5)
    await eventually(lambda: proxy.connections == 2)
    await asyncio.sleep(0.6)
    assert await bot.depth() == 5
    assert len(await take_all(worker, 5)) == 5


async def test_the_taker_survives_a_deleted_queue(rabbit: PrivateRabbit, connect_rabbit: ConnectTo) -> None:
    queue = await connect_rabbit()
    taking = asyncio.create_task(take_one(queue))
    await asyncio.sleep(0.2)
    with rabbit.admin() as connection:
        connection.channel().queue_delete(JOBS)
    job_id = uuid4()
    await publish_until_confirmed(queue, job_id)
    assert await taking == job_id


async def test_a_malformed_message_becomes_a_dead_letter_and_stops_nobody(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo, caplog: pytest.LogCaptureFixture
) -> None:
    queue = await connect_rabbit()
    await at(put, rabbit, b"no job id \xff")
    await at(put, rabbit, b"")
    await queue.publish([job_id := uuid4()])
    assert await take_one(queue) == job_id
    assert "is no job id" in caplog.text

    async def buried() -> bool:
        return len(await queue.dead_letters()) == 2

    await eventually(buried)
    letter = (await queue.dead_letters())[0]
    assert (letter.body, letter.reason) == ("no job id \\xff", "rejected")
    assert letter.died_at is not None
    assert await queue.purge_dead() == 2
    assert await queue.dead_letters() == []


@pytest.mark.parametrize("value", [7, b"\xff\xfe", True, None])
async def test_a_header_that_is_no_place_in_a_trace_stops_nobody(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo, value: object
) -> None:
    queue = await connect_rabbit()
    job_id = uuid4()
    with rabbit.admin() as connection:
        properties = pika.BasicProperties(headers={"traceparent": value})
        connection.channel().basic_publish("", JOBS, str(job_id).encode(), properties)
    async with asyncio.timeout(SOON):
        ticket = await queue.take()
    assert (ticket.job_id, ticket.traceparent) == (job_id, None)


async def test_looking_at_dead_letters_leaves_them_in_order(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
) -> None:
    queue = await connect_rabbit()
    with rabbit.admin() as connection:
        channel = connection.channel()
        for number in range(5):
            channel.basic_publish(DEAD, "", str(number).encode())

    async def all_there() -> bool:
        return [letter.body for letter in await queue.dead_letters()] == list("01234")

    await eventually(all_there)
    for _ in range(3):
        assert [letter.body for letter in await queue.dead_letters(limit=3)] == list("012")
    await eventually(all_there)
