"""What RabbitMQ makes possible and difficult: outages, cut connections, and messages nobody understands."""

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pika
import pytest

from shared.errors import ConfigError
from shared.queue import Queue, QueueUnavailable, open_queue
from shared.queue.amqp import publisher
from shared.queue.amqp.topology import DEAD, JOBS, LISTENER_ARGUMENTS
from tests.services import (
    BROKER_PASSWORD,
    LOOPBACK,
    PrivateRabbit,
    TcpProxy,
    free_port,
    start_broker,
    stop_broker,
)
from tests.shared.queue.conftest import SOON, depth_becomes, eventually, take_all, take_one

Connect = Callable[..., Awaitable[Queue]]


@pytest.fixture
async def proxy(rabbit: PrivateRabbit) -> AsyncIterator[TcpProxy]:
    """A proxy in front of the broker."""
    async with TcpProxy(rabbit.port) as proxy:
        yield proxy


@pytest.fixture
def through(rabbit: PrivateRabbit, proxy: TcpProxy) -> str:
    """The broker's address through the proxy."""
    return rabbit.url_through(proxy.port)


async def at(function: Callable[..., Any], *arguments: object) -> Any:
    """Run what blocks beside the event loop."""
    return await asyncio.to_thread(function, *arguments)


def put(rabbit: PrivateRabbit, body: bytes) -> None:
    """A message into the job queue that Linkferry did not write."""
    with rabbit.admin() as connection:
        connection.channel().basic_publish("", JOBS, body)


async def publish_until_confirmed(queue: Queue, job_id: UUID) -> None:
    """What the outbox and the janitor do together."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await queue.publish([job_id])
            except QueueUnavailable:
                await asyncio.sleep(0.1)


# Publishing


async def test_messages_are_persistent_and_carry_nothing_but_the_id(
    rabbit: PrivateRabbit, connect_rabbit: Connect
) -> None:
    queue = await connect_rabbit()
    await queue.publish([job_id := uuid4()])
    with rabbit.admin() as connection:
        _, properties, body = connection.channel().basic_get(JOBS, auto_ack=True)
    assert properties.delivery_mode == pika.DeliveryMode.Persistent.value
    assert body.decode() == str(job_id)
    assert set(properties.headers or ()) <= {"x-delivery-count"}  # the broker's own


async def test_an_unroutable_publish_raises(rabbit: PrivateRabbit, connect_rabbit: Connect) -> None:
    queue = await connect_rabbit()
    with rabbit.admin() as connection:
        connection.channel().queue_delete(JOBS)
    with pytest.raises(QueueUnavailable, match="NO_ROUTE"):
        await queue.publish([uuid4(), uuid4()])


async def test_publishing_works_again_after_one_that_failed(
    rabbit: PrivateRabbit, connect_rabbit: Connect
) -> None:
    queue = await connect_rabbit()
    with rabbit.admin() as connection:
        connection.channel().queue_delete(JOBS)
    with pytest.raises(QueueUnavailable):
        await queue.publish([uuid4()])
    other = await connect_rabbit()  # declares the queue again
    await queue.publish([job_id := uuid4()])
    assert await take_one(other) == job_id


async def test_a_publish_into_an_outage_raises_in_time(
    through: str, proxy: TcpProxy, connect_rabbit: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT", 0.5)
    queue = await connect_rabbit(through)
    proxy.refusing = True
    proxy.cut()
    await asyncio.sleep(0.1)
    async with asyncio.timeout(SOON):
        with pytest.raises(QueueUnavailable):
            await queue.publish([uuid4() for _ in range(500)])


async def test_a_silent_broker_makes_a_publish_raise_in_time(
    through: str, proxy: TcpProxy, connect_rabbit: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT", 0.5)
    queue = await connect_rabbit(through)
    proxy.freeze()
    async with asyncio.timeout(SOON):
        with pytest.raises(QueueUnavailable, match="in time"):
            await queue.publish([uuid4()])
    proxy.thaw()


async def test_a_connection_cut_while_publishing_raises_and_loses_nothing_confirmed(
    through: str, proxy: TcpProxy, connect_rabbit: Connect
) -> None:
    queue, reader = await connect_rabbit(through), await connect_rabbit()
    confirmed: set[UUID] = set()

    async def publish_many() -> None:
        while True:
            job_id = uuid4()
            await queue.publish([job_id])
            confirmed.add(job_id)

    publishing = [asyncio.create_task(publish_many()) for _ in range(20)]
    await asyncio.sleep(0.3)
    proxy.cut()
    async with asyncio.timeout(SOON):
        outcomes = await asyncio.gather(*publishing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [QueueUnavailable] * 20
    assert confirmed
    assert confirmed <= set(await take_all(reader))


async def test_publishing_goes_on_after_a_cut(through: str, proxy: TcpProxy, connect_rabbit: Connect) -> None:
    queue = await connect_rabbit(through)
    for _ in range(3):
        proxy.cut()
        await publish_until_confirmed(queue, uuid4())
    assert await queue.depth() >= 3


async def test_a_cancelled_publish_is_cancelled_and_harms_no_other(connect_rabbit: Connect) -> None:
    queue = await connect_rabbit()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await queue.publish([uuid4() for _ in range(2000)])
    await queue.publish([uuid4()])


# Consuming


async def test_the_taker_survives_cut_connections_and_gets_everything(
    through: str, proxy: TcpProxy, connect_rabbit: Connect
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    jobs = {uuid4() for _ in range(300)}
    taken: set[UUID] = set()

    async def work() -> None:
        while taken != jobs:
            ticket = await worker.take()
            await ticket.ack()
            taken.add(ticket.job_id)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(work())
        for number, job_id in enumerate(jobs):
            await bot.publish([job_id])
            if number % 100 == 50:
                proxy.cut()
    assert await take_all(worker) == []


async def test_an_ack_on_a_dead_connection_is_logged_and_the_job_comes_again(
    through: str, proxy: TcpProxy, connect_rabbit: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    await bot.publish([job_id := uuid4()])
    ticket = await worker.take()
    proxy.cut()
    await asyncio.sleep(0.1)
    await ticket.ack()
    assert "comes again" in caplog.text
    assert await take_one(worker) == job_id


async def test_giving_back_on_a_dead_connection_is_no_error(
    through: str, proxy: TcpProxy, connect_rabbit: Connect
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    await bot.publish([job_id := uuid4()])
    ticket = await worker.take()
    proxy.cut()
    await asyncio.sleep(0.1)
    await ticket.give_back()
    assert await take_all(worker) == [job_id]


async def test_what_a_killed_worker_held_goes_to_another(
    connect_rabbit: Connect, rabbit: PrivateRabbit
) -> None:
    bot = await connect_rabbit()
    await bot.publish([job_id := uuid4()])
    with rabbit.admin() as killed:
        assert killed.channel().basic_get(JOBS)[2] == str(job_id).encode()
        await depth_becomes(bot, 0)
    assert await take_one(bot) == job_id


async def test_giving_back_very_often_makes_no_dead_letter(connect_rabbit: Connect) -> None:
    queue = await connect_rabbit()
    await queue.publish([job_id := uuid4()])
    for _ in range(50):  # brokers from 4.0 bury after 20 when nothing is said
        ticket = await queue.take()
        await ticket.give_back()
    assert await queue.dead_letters() == []
    assert await take_one(queue) == job_id


async def test_a_pause_during_an_outage_holds_after_it(
    through: str, proxy: TcpProxy, connect_rabbit: Connect
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    await bot.publish([uuid4() for _ in range(5)])
    await take_one(worker)
    await asyncio.sleep(0.1)  # the ack is on its way
    proxy.cut()
    await worker.pause()
    await depth_becomes(bot, 4)
    await asyncio.sleep(0.6)
    assert await bot.depth() == 4
    assert len(await take_all(worker)) == 4


async def test_the_taker_survives_a_deleted_queue(rabbit: PrivateRabbit, connect_rabbit: Connect) -> None:
    queue = await connect_rabbit()
    taking = asyncio.create_task(take_one(queue))
    await asyncio.sleep(0.2)
    with rabbit.admin() as connection:
        connection.channel().queue_delete(JOBS)
    job_id = uuid4()
    await publish_until_confirmed(queue, job_id)
    assert await taking == job_id


async def test_a_malformed_message_becomes_a_dead_letter_and_stops_nobody(
    rabbit: PrivateRabbit, connect_rabbit: Connect, caplog: pytest.LogCaptureFixture
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
    assert (letter.body, letter.reason, letter.job_id) == ("no job id \\xff", "rejected", None)
    assert letter.died_at is not None
    assert await queue.purge_dead() == 2
    assert await queue.dead_letters() == []


async def test_looking_at_dead_letters_leaves_them_in_order(
    rabbit: PrivateRabbit, connect_rabbit: Connect
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


# Listening


async def test_watchers_and_cancel_listeners_survive_a_cut(
    through: str, proxy: TcpProxy, connect_rabbit: Connect
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit(through)
    job_id = uuid4()
    async with worker.cancels() as cancels, worker.watch(job_id) as events, asyncio.timeout(45):
        proxy.cut()

        async def repeat() -> None:
            while True:
                await bot.publish_cancel(job_id)
                await bot.publish_event(job_id, {"percent": 5})
                await asyncio.sleep(0.1)

        repeating = asyncio.create_task(repeat())
        assert await anext(cancels) == job_id
        assert await anext(events) == {"percent": 5}
        repeating.cancel()


@pytest.mark.slow
async def test_publishing_events_never_waits_and_keeps_little_during_an_outage(
    through: str, proxy: TcpProxy, connect_rabbit: Connect
) -> None:
    worker, web = await connect_rabbit(through), await connect_rabbit()
    job_id = uuid4()
    async with web.watch(job_id) as events, asyncio.timeout(45):
        proxy.refusing = True
        proxy.cut()
        async with asyncio.timeout(30):
            for number in range(20_000):
                await worker.publish_event(job_id, {"number": number})
        proxy.refusing = False
        while (await anext(events))["number"] != 19_999:
            pass


async def test_a_cancel_during_an_outage_is_logged_and_raises_nothing(
    through: str,
    proxy: TcpProxy,
    connect_rabbit: Connect,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT", 0.2)
    queue = await connect_rabbit(through)
    proxy.refusing = True
    proxy.cut()
    await asyncio.sleep(0.1)
    await queue.publish_cancel(uuid4())
    assert "next heartbeat" in caplog.text


async def test_events_and_cancels_nobody_understands_are_ignored(
    rabbit: PrivateRabbit, connect_rabbit: Connect
) -> None:
    queue = await connect_rabbit()
    job_id = uuid4()
    async with queue.watch(job_id) as events, queue.cancels() as cancels, asyncio.timeout(SOON):
        with rabbit.admin() as connection:
            for body in (b"\xff", b"[1]", b"7"):
                connection.channel().basic_publish("linkferry.events", f"job.{job_id}", body)
                connection.channel().basic_publish("linkferry.control", "", body)
        await queue.publish_event(job_id, {"percent": 6})
        await queue.publish_cancel(job_id)
        assert await anext(events) == {"percent": 6}
        assert await anext(cancels) == job_id


@pytest.mark.slow
async def test_a_listener_leaves_nothing_in_the_broker(
    rabbit: PrivateRabbit, connect_rabbit: Connect
) -> None:
    queue = await connect_rabbit()
    before = await at(queue_names, rabbit)
    async with queue.watch(uuid4()), queue.cancels():
        during = await at(queue_names, rabbit)
    assert len(during) == len(before) + 2

    async def gone() -> bool:
        return await at(queue_names, rabbit) == before

    await eventually(gone)


def queue_names(rabbit: PrivateRabbit) -> list[str]:
    """Every queue, as rabbitmqctl sees them."""
    return sorted(rabbit.list_queues())


@pytest.mark.slow
async def test_a_frozen_watcher_costs_the_broker_a_bounded_backlog(
    rabbit: PrivateRabbit, connect_rabbit: Connect
) -> None:
    worker = await connect_rabbit()
    job_id = uuid4()
    with rabbit.admin() as frozen:
        channel = frozen.channel()
        name = channel.queue_declare("", exclusive=True, arguments=LISTENER_ARGUMENTS).method.queue
        channel.queue_bind(name, "linkferry.events", f"job.{job_id}")
        for number in range(1000):
            await worker.publish_event(job_id, {"number": number})

        async def bounded() -> bool:
            _, _, newest = channel.basic_get(name, auto_ack=True)
            return newest is not None and int(newest.split(b":")[1][:-1]) >= 900

        await eventually(bounded)
        assert channel.queue_declare(name, passive=True).method.message_count < 100


# Connecting


async def test_the_topology_may_be_declared_again_and_again(connect_rabbit: Connect) -> None:
    queues = await asyncio.gather(*(connect_rabbit() for _ in range(5)))
    await queues[0].publish([job_id := uuid4()])
    assert await take_one(queues[4]) == job_id


async def test_the_first_connect_waits_for_the_broker_and_says_so(
    rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    queue = open_queue(rabbit.url_through(port))
    starting = asyncio.create_task(queue.start())
    await asyncio.sleep(0.5)
    assert not starting.done()
    assert f"RabbitMQ at {LOOPBACK}:{port}: " in caplog.text
    assert "trying until it works" in caplog.text
    proxy = TcpProxy(rabbit.port)
    proxy.port = port
    async with proxy, asyncio.timeout(30):
        await starting
        await queue.publish([uuid4()])
        await queue.close()


async def test_a_start_that_is_cancelled_leaves_nothing_running(caplog: pytest.LogCaptureFixture) -> None:
    queue = open_queue(f"amqp://{LOOPBACK}:{free_port()}")
    before = asyncio.all_tasks()
    starting = asyncio.create_task(queue.start())
    await asyncio.sleep(0.1)
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)
    await asyncio.sleep(0)
    assert starting.cancelled()
    assert asyncio.all_tasks() == before


async def test_wrong_credentials_are_a_sentence_and_not_a_wait(rabbit: PrivateRabbit) -> None:
    queue = open_queue(f"amqp://linkferry:wrong-word@{LOOPBACK}:{rabbit.port}/")
    async with asyncio.timeout(SOON):
        with pytest.raises(ConfigError, match="refused the user name or the password") as refusal:
            await queue.start()
    assert "wrong-word" not in str(refusal.value)


async def test_a_wrong_virtual_host_is_said_in_words(
    rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    queue = open_queue(f"{rabbit.url}elsewhere")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(
            0.5
        ):  # a broker that recovers refuses in the same way, so it is tried again
            await queue.start()
    assert "does not open the virtual host" in caplog.text


async def test_a_queue_of_another_shape_is_a_sentence_and_not_a_wait(rabbit: PrivateRabbit) -> None:
    with rabbit.admin() as connection:
        connection.channel().queue_declare(JOBS, durable=True)
    queue = open_queue(rabbit.url)
    async with asyncio.timeout(SOON):
        with pytest.raises(ConfigError, match="in another shape"):
            await queue.start()


async def test_the_password_is_in_no_log(
    through: str, proxy: TcpProxy, connect_rabbit: Connect, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "shared")
    caplog.set_level(logging.INFO)
    queue = await connect_rabbit(through)
    proxy.refusing = True
    proxy.cut()
    await asyncio.sleep(0.5)
    proxy.refusing = False
    await publish_until_confirmed(queue, uuid4())
    assert "trying until it works" in caplog.text
    assert BROKER_PASSWORD not in caplog.text


async def test_questions_during_an_outage_raise_in_time(
    through: str, proxy: TcpProxy, connect_rabbit: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.queue.amqp.link.ASK_TIMEOUT", 0.3)
    queue = await connect_rabbit(through)
    proxy.freeze()
    for question in (queue.depth, queue.dead_letters, queue.purge_dead):
        with pytest.raises(QueueUnavailable):
            await question()
    proxy.thaw()


# The broker goes away


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a second is enough to see that nobody answers."""
    monkeypatch.setattr("shared.queue.amqp.publisher.CONFIRM_TIMEOUT", 0.5)
    monkeypatch.setattr("shared.queue.amqp.link.ASK_TIMEOUT", 0.5)


async def take_in_time(queue: Queue, count: int) -> list[UUID]:
    """Take and ack so many, across a reconnect."""
    async with asyncio.timeout(30):
        taken = []
        while len(taken) < count:
            ticket = await queue.take()
            await ticket.ack()
            taken.append(ticket.job_id)
        return taken


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_a_broker_restart_loses_nothing_and_doubles_nothing_acked(connect_rabbit: Connect) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit()
    jobs = [uuid4() for _ in range(50)]
    await bot.publish(jobs)
    acked = await take_in_time(worker, 20)
    await worker.pause()
    await depth_becomes(bot, 30)
    await at(stop_broker)
    for question in (bot.depth, lambda: bot.publish([uuid4()])):
        with pytest.raises(QueueUnavailable):
            await question()
    await at(start_broker)
    await publish_until_confirmed(bot, late := uuid4())
    acked += await take_in_time(worker, 31)
    assert sorted(acked) == sorted([*jobs, late])
    assert await take_all(worker) == []


@pytest.mark.slow
async def test_confirmed_messages_survive_a_killed_broker(
    rabbit: PrivateRabbit, connect_rabbit: Connect
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit()
    jobs = [uuid4() for _ in range(50)]
    await bot.publish(jobs)
    held = await worker.take()
    await asyncio.sleep(1.5)  # RabbitMQ 3.10 forgets a queue that is killed in its first second
    await at(rabbit.kill)
    await held.ack()  # too late
    await at(start_broker)
    assert sorted(await take_in_time(worker, 50)) == sorted(jobs)
    assert await take_all(worker) == []


@pytest.mark.slow
@pytest.mark.usefixtures("impatient")
async def test_a_broker_that_stands_still_and_wakes_up_costs_nothing(
    rabbit: PrivateRabbit, connect_rabbit: Connect
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit()
    assert rabbit.process
    os.killpg(rabbit.process.pid, signal.SIGSTOP)
    try:
        with pytest.raises(QueueUnavailable):
            await bot.publish([uuid4()])
    finally:
        os.killpg(rabbit.process.pid, signal.SIGCONT)
    await publish_until_confirmed(bot, job_id := uuid4())
    assert job_id in await take_all(worker)
