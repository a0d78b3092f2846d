"""The first connection: waiting for the broker, and what waiting will not mend."""

import asyncio
import logging
from contextlib import suppress
from uuid import uuid4

import aio_pika
import pytest

from shared.errors import ConfigError
from shared.queue import QueueUnavailable, open_queue
from shared.queue.amqp import link
from shared.queue.amqp.topology import JOBS
from tests.services import (
    BROKER_PASSWORD,
    LOOPBACK,
    PrivateRabbit,
    TcpProxy,
    free_port,
)
from tests.shared.queue.conftest import SOON, ConnectTo, publish_until_confirmed, said, take_one
from tests.waiting import eventually


async def test_the_topology_may_be_declared_again_and_again(connect_rabbit: ConnectTo) -> None:
    queues = await asyncio.gather(*(connect_rabbit() for _ in range(5)))
    await queues[0].publish([job_id := uuid4()])
    assert await take_one(queues[4]) == job_id


async def test_the_first_connect_waits_for_the_broker_and_says_so(
    rabbit: PrivateRabbit, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    queue = open_queue(rabbit.url_through(port))
    starting = asyncio.create_task(queue.start())
    await said(caplog, "trying until it works")
    assert f"RabbitMQ at {LOOPBACK}:{port}: " in caplog.text
    assert not starting.done()
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
    assert starting.cancelled()

    async def nothing_runs() -> bool:
        return asyncio.all_tasks() == before

    await eventually(nothing_runs)


async def test_closing_ends_also_what_forgets_that_it_was_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    trying = asyncio.Event()

    async def forgetful(*_: object, **__: object) -> None:
        trying.set()
        with suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        raise ConnectionResetError

    monkeypatch.setattr(aio_pika.Connection, "connect", forgetful)
    monkeypatch.setattr(link, "CLOSE_TIMEOUT", 0.1)
    queue = open_queue(f"amqp://{LOOPBACK}:{free_port()}")
    starting = asyncio.create_task(queue.start())
    async with asyncio.timeout(SOON):
        await trying.wait()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
    assert starting.cancelled()


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
    starting = asyncio.create_task(queue.start())
    await said(caplog, "does not open the virtual host")
    assert not starting.done()  # a broker that recovers refuses in the same way, so it is tried again
    starting.cancel()
    await asyncio.gather(starting, return_exceptions=True)


async def test_a_queue_of_another_shape_is_a_sentence_and_not_a_wait(rabbit: PrivateRabbit) -> None:
    with rabbit.admin() as connection:
        connection.channel().queue_declare(JOBS, durable=True)
    queue = open_queue(rabbit.url)
    async with asyncio.timeout(SOON):
        with pytest.raises(ConfigError, match="in another shape"):
            await queue.start()


async def test_the_password_is_in_no_log(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "shared")
    caplog.set_level(logging.INFO)
    queue = await connect_rabbit(through)
    proxy.refusing = True
    proxy.cut()
    await said(caplog, "trying until it works")
    proxy.refusing = False
    await publish_until_confirmed(queue, uuid4())
    assert BROKER_PASSWORD not in caplog.text


async def test_questions_during_an_outage_raise_in_time(
    through: str, proxy: TcpProxy, connect_rabbit: ConnectTo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.queue.amqp.link.ASK_TIMEOUT", 0.3)
    queue = await connect_rabbit(through)
    proxy.freeze()
    for question in (queue.depth, queue.dead_letters, queue.purge_dead):
        with pytest.raises(QueueUnavailable):
            await question()
    proxy.thaw()
