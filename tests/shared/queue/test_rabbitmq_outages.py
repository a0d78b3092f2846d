"""The broker is stopped, killed, frozen."""

import asyncio
import os
import signal
from uuid import uuid4

import pytest

from shared.queue import QueueUnavailable
from tests.services import PrivateRabbit, start_broker, stop_broker
from tests.shared.queue.conftest import (
    ConnectTo,
    at,
    depth_becomes,
    impatient,
    publish_until_confirmed,
    take_all,
    take_one,
)


@pytest.mark.slow
async def test_a_broker_restart_loses_nothing_and_doubles_nothing_acked(connect_rabbit: ConnectTo) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit()
    jobs = [uuid4() for _ in range(50)]
    await bot.publish(jobs)
    acked = [await take_one(worker) for _ in range(20)]
    await worker.pause()
    await depth_becomes(bot, 30)
    await at(stop_broker)
    for question in (bot.depth, lambda: bot.publish([uuid4()])):
        with impatient(), pytest.raises(QueueUnavailable):
            await question()
    await at(start_broker)
    await publish_until_confirmed(bot, late := uuid4())
    acked += await take_all(worker, 31)
    assert late in acked  # perhaps twice
    assert sorted(job for job in acked if job != late) == sorted(jobs)


@pytest.mark.slow
async def test_confirmed_messages_survive_a_killed_broker(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit()
    jobs = [uuid4() for _ in range(50)]
    await bot.publish(jobs)
    held = await worker.take()
    await asyncio.sleep(4)  # RabbitMQ 3.10 forgets a queue that is killed in its first second, or two
    await at(rabbit.kill)
    await held.ack()  # too late
    await at(start_broker)
    assert sorted(await take_all(worker, 50)) == sorted(jobs)


@pytest.mark.slow
async def test_a_broker_that_stands_still_and_wakes_up_costs_nothing(
    rabbit: PrivateRabbit, connect_rabbit: ConnectTo
) -> None:
    bot, worker = await connect_rabbit(), await connect_rabbit()
    assert rabbit.process
    os.killpg(rabbit.process.pid, signal.SIGSTOP)
    try:
        with impatient(), pytest.raises(QueueUnavailable):
            await bot.publish([uuid4()])
    finally:
        os.killpg(rabbit.process.pid, signal.SIGCONT)
    await publish_until_confirmed(bot, job_id := uuid4())
    while await take_one(worker) != job_id:
        pass  # what the broker got before it stood still
