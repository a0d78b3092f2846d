"""Watchers and cancels: they survive cuts, and nobody slow or absent costs anything."""

import asyncio
from uuid import uuid4

import pytest

from shared.queue.amqp import publisher
from shared.queue.amqp.topology import LISTENER_ARGUMENTS
from tests.services import (
    PrivateRabbit,
    TcpProxy,
)
from tests.shared.queue.conftest import SOON, ConnectTo, at
from tests.waiting import eventually


async def test_watchers_and_cancel_listeners_survive_a_cut(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo
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
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo
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
    connect_rabbit: ConnectTo,
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
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
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
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
) -> None:
    queue = await connect_rabbit()
    before = await at(queue_names, rabbit)
    async with queue.watch(uuid4()), queue.cancels():
        ours = await at(queue_names, rabbit) - before
    assert len(ours) == 2

    async def gone() -> bool:
        return not ours & await at(queue_names, rabbit)

    await eventually(gone)


def queue_names(rabbit: PrivateRabbit) -> set[str]:
    """Every queue, as rabbitmqctl sees them; those of an earlier test may be on their way out."""
    return set(rabbit.list_queues())


@pytest.mark.slow
async def test_a_frozen_watcher_costs_the_broker_a_bounded_backlog(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
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
