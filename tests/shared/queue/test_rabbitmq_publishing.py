"""Publishing through outages, cuts and silence: confirmed is kept, what is not raises in time."""

import asyncio
from uuid import UUID, uuid4

import pika
import pytest

from shared.queue import QueueUnavailable
from shared.queue.amqp import publisher
from shared.queue.amqp.topology import JOBS
from tests.services import (
    PrivateRabbit,
    TcpProxy,
)
from tests.shared.queue.conftest import (
    PLACE,
    SOON,
    ConnectTo,
    publish_until_confirmed,
    take_one,
)
from tests.waiting import eventually


async def test_messages_are_persistent_and_carry_nothing_but_the_id(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
) -> None:
    queue = await connect_rabbit()
    await queue.publish([job_id := uuid4()])
    with rabbit.admin() as connection:
        _, properties, body = connection.channel().basic_get(JOBS, auto_ack=True)
    assert properties.delivery_mode == pika.DeliveryMode.Persistent.value
    assert body.decode() == str(job_id)
    assert set(properties.headers or ()) <= {"x-delivery-count"}  # the broker's own


async def test_the_place_in_a_trace_is_a_header_of_those_messages_that_have_one(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
) -> None:
    queue = await connect_rabbit()
    await queue.publish([job_id := uuid4()], {job_id: PLACE, uuid4(): "another job's"})
    with rabbit.admin() as connection:
        _, properties, body = connection.channel().basic_get(JOBS, auto_ack=True)
    assert body.decode() == str(job_id)
    assert {name: value for name, value in properties.headers.items() if not name.startswith("x-")} == {
        "traceparent": PLACE
    }


async def test_an_unroutable_publish_raises(rabbit: PrivateRabbit, connect_rabbit: ConnectTo) -> None:
    queue = await connect_rabbit()
    with rabbit.admin() as connection:
        connection.channel().queue_delete(JOBS)
    with pytest.raises(QueueUnavailable, match="NO_ROUTE"):
        await queue.publish([uuid4(), uuid4()])


async def test_publishing_works_again_after_one_that_failed(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
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
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo, monkeypatch: pytest.MonkeyPatch
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
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT", 0.5)
    queue = await connect_rabbit(through)
    proxy.freeze()
    async with asyncio.timeout(SOON):
        with pytest.raises(QueueUnavailable, match="in time"):
            await queue.publish([uuid4()])
    proxy.thaw()


async def test_a_connection_cut_while_publishing_raises_and_loses_nothing_confirmed(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, reader = await connect_rabbit(through), await connect_rabbit()
    confirmed: set[UUID] = set()

    async def publish_many() -> None:
        while True:
            job_id = uuid4()
            await queue.publish([job_id])
            confirmed.add(job_id)

    publishing = [asyncio.create_task(publish_many()) for _ in range(20)]
    await eventually(lambda: len(confirmed) >= 100)
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT", 0.5)
    proxy.refusing = True  # else one that meets the next connection goes on
    proxy.cut()
    async with asyncio.timeout(SOON):
        outcomes = await asyncio.gather(*publishing, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [QueueUnavailable] * 20
    lost = confirmed.copy()
    while lost:
        lost.discard(await take_one(reader))


async def test_publishing_goes_on_after_a_cut(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo
) -> None:
    queue = await connect_rabbit(through)
    for _ in range(3):
        proxy.cut()
        await publish_until_confirmed(queue, uuid4())
    assert await queue.depth() >= 3


async def test_a_cancelled_publish_is_cancelled_and_harms_no_other(connect_rabbit: ConnectTo) -> None:
    queue = await connect_rabbit()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await queue.publish([uuid4() for _ in range(2000)])
    await queue.publish([uuid4()])
