"""`jobs list|show|retry|cancel` and `dead`, on each kind of database and with each kind of queue."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from linkferry import doctor, operate, storage
from shared import jobs, presence
from shared.database import Database, db_now
from shared.errors import Code, ConfigError, JobError
from shared.ids import new_id
from shared.models import Job, JobState, OutboxRow
from shared.queue import open_queue
from shared.queue.amqp import link, publisher
from shared.queue.amqp.topology import JOBS
from shared.retry import MAX_CRASHES, Verdict
from shared.settings import Settings
from tests.bots.room import has_no_room
from tests.services import PrivatePostgres, PrivateRabbit, free_port, postgres, rabbit
from tests.shared.conftest import claim, connect, emptied, load, make_job, make_request

__all__ = ["connect", "postgres", "rabbit"]

NOWHERE = "amqp://127.0.0.1:{port}/"


@pytest.fixture
def database(connect: Any) -> Database:
    """An empty database of each kind."""
    opened: Database = connect()
    return opened


@pytest.fixture
def settings(database: Database, tmp_path: Path) -> Settings:
    """Settings of an installation on that database, with the embedded queue."""
    url = database.engine.url.render_as_string(hide_password=False)
    return Settings(_env_file=None, data_dir=tmp_path / "data", database_url=url)


@pytest.fixture
async def with_broker(settings: Settings, rabbit: PrivateRabbit) -> AsyncIterator[Settings]:
    """The same with RabbitMQ."""
    yield settings.model_copy(update={"queue_url": rabbit.url})


def without_broker(settings: Settings) -> Settings:
    """The same with a RabbitMQ that is down."""
    return settings.model_copy(update={"queue_url": NOWHERE.format(port=free_port())})


async def failed_job(database: Database) -> UUID:
    """A job that failed for good."""
    job_id = await make_job(database)
    fence = await claim(database)
    async with database.write() as session:
        await jobs.fail(session, fence, JobError(Code.PRIVATE), Verdict(None), "a.example")
    return job_id


async def quarantined_job(database: Database) -> UUID:
    """A job that brought down too many workers."""
    job_id = await make_job(database)
    for _ in range(MAX_CRASHES):
        await claim(database)
        async with database.write() as session:
            await jobs.requeue_expired(session, everything=True)
    return job_id


async def test_the_list_names_state_tries_reason_and_link(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = await failed_job(database)
    queued = await make_job(database, "https://a.example/2")
    assert await operate.list_jobs(settings, None, 20) == 0
    head, newest, oldest = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["job", "state", "tries"]
    assert newest.split()[:3] == [str(queued), "queued", "0"]
    assert newest.split()[-1] == "https://a.example/2"
    assert oldest.split()[:3] == [str(failed), "failed", "1"]
    assert oldest.split()[-2:] == ["https://a.example/1", "private"]


async def test_the_list_says_of_a_job_that_is_done_no_longer_why_an_earlier_try_failed(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await failed_job(database)
    async with database.write() as session:
        await session.execute(update(Job).values(state=JobState.DONE))
    await operate.list_jobs(settings, None, 20)
    assert capsys.readouterr().out.split()[-1] == "https://a.example/1"


async def test_the_list_is_filtered_and_limited(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await failed_job(database)
    queued = [await make_job(database, f"https://a.example/{number}") for number in (2, 3)]
    await operate.list_jobs(settings, JobState.QUEUED, 1)
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == [str(queued[1])]
    await operate.list_jobs(settings, JobState.DONE, 20)
    assert capsys.readouterr().out == "No jobs.\n"


async def test_a_title_cannot_command_the_terminal_or_break_its_line(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await make_job(database)
    async with database.write() as session:
        await session.execute(update(Job).values(title="[red]a\x1b]0;x\x07b\n\u202ec[/red]" + "long " * 100))
    await operate.list_jobs(settings, None, 20)
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert "[red]a" in out
    assert not any(bad in out for bad in "\x1b\x07\u202e")


async def test_show_tells_everything_about_a_job(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = await failed_job(database)
    assert await operate.show_job(settings, job_id) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["job_id"], shown["state"], shown["attempt"]) == (str(job_id), "failed", 1)
    assert (shown["error"]["code"], shown["link"]) == ("private", "https://a.example/1")


@pytest.mark.parametrize("command", [operate.show_job, operate.retry_job, operate.cancel_job])
async def test_an_unknown_job_is_a_sentence(
    settings: Settings, command: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = new_id()
    assert await command(settings, job_id) == 1
    assert capsys.readouterr() == ("", f"There is no job {job_id}.\n")


async def test_retry_starts_a_quarantined_job_anew_and_its_people_are_told_again(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    job_id = await quarantined_job(database)
    await make_request(database, job_id)
    assert await operate.retry_job(settings, job_id) == 0
    assert capsys.readouterr().out == "Queued again.\n"
    job = await load(database, job_id)
    assert (job.state, job.crashes, job.error_code) == (JobState.QUEUED, 0, None)
    assert (await claim(database)).job_id == job_id


async def test_retry_refuses_what_is_active_and_what_another_job_carries(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    failed = await failed_job(database)
    active = await make_job(database)  # the same link
    assert await operate.retry_job(settings, active) == 1
    assert "this one is queued" in capsys.readouterr().err
    assert await operate.retry_job(settings, failed) == 1
    assert capsys.readouterr().err == "Another job carries the same link right now.\n"
    assert (await load(database, failed)).state is JobState.FAILED


async def test_cancel_ends_a_queued_job_and_flags_a_running_one(
    database: Database, settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    running, queued = await make_job(database), await make_job(database, "https://a.example/2")
    await claim(database)
    for job_id in (running, queued):
        assert await operate.cancel_job(settings, job_id) == 0
    assert capsys.readouterr().out == "Cancelled.\nCancelled.\n"
    assert (await load(database, running)).cancel_requested
    assert (await load(database, queued)).state is JobState.CANCELLED
    assert await operate.cancel_job(settings, queued) == 1
    assert capsys.readouterr().err == "It has ended already: cancelled.\n"


@pytest.mark.parametrize("command", [operate.cancel_job, storage.revoke])
async def test_without_room_to_note_it_nothing_is_cancelled_and_it_is_said(
    postgres: PrivatePostgres, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: Any
) -> None:
    database = Database(await emptied(postgres))
    url = database.engine.url.render_as_string(hide_password=False)
    job_id = await make_job(database)
    async with has_no_room(database):
        settings = Settings(_env_file=None, data_dir=tmp_path / "data", database_url=url)
        assert await command(settings, job_id) == 1
    assert capsys.readouterr() == ("", JobError(Code.DISK_FULL).message + "\n")
    assert (await load(database, job_id)).state is JobState.QUEUED
    await database.close()


async def test_a_retried_job_is_in_rabbitmq_when_the_command_ends(
    database: Database, with_broker: Settings
) -> None:
    job_id = await failed_job(database)
    assert await operate.retry_job(with_broker, job_id) == 0
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(OutboxRow)) == 0
    queue = open_queue(with_broker.queue_url)
    await queue.start()
    async with asyncio.timeout(40):
        tickets = [await queue.take() for _ in range(2)]  # the outbox had the row of its first start, too
    assert {ticket.job_id for ticket in tickets} == {job_id}
    await queue.close()


async def test_the_dead_are_quarantined_jobs_and_messages_nobody_can_read(
    database: Database,
    with_broker: Settings,
    rabbit: PrivateRabbit,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await operate.dead(with_broker, purge=False) == 0
    assert capsys.readouterr().out == "Nothing is dead.\n"

    job_id = await quarantined_job(database)
    await bury(rabbit, with_broker, b"nobody \x1b[31m wrote this")
    assert await operate.dead(with_broker, purge=False) == 0
    out = capsys.readouterr().out
    assert f"linkferry jobs retry {job_id}" in out and "3 workers" in out
    assert "message 'nobody \\x1b[31m wrote this' rejected at 20" in out

    assert await operate.dead(with_broker, purge=True) == 0
    assert "1 message removed." in capsys.readouterr().out
    await operate.retry_job(with_broker, job_id)
    capsys.readouterr()
    await operate.dead(with_broker, purge=False)
    assert capsys.readouterr().out == "Nothing is dead.\n"


async def bury(rabbit: PrivateRabbit, settings: Settings, body: bytes) -> None:
    """A message that a worker rejected."""
    queue = open_queue(settings.queue_url)
    await queue.start()
    with rabbit.admin() as connection:
        connection.channel().basic_publish("", JOBS, body)
    taking = asyncio.create_task(queue.take())
    async with asyncio.timeout(40):
        while not await queue.dead_letters():
            await asyncio.sleep(0.02)
    taking.cancel()
    await queue.close()


async def test_the_embedded_queue_has_no_dead_letters_to_purge(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="keeps no dead letters"):
        await operate.dead(settings, purge=True)


async def test_with_the_broker_down_jobs_can_still_be_looked_at_and_cancelled(
    database: Database,
    settings: Settings,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operate, "BROKER_PATIENCE", 0.1)
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT", 0.1)
    monkeypatch.setattr(link, "ASK_TIMEOUT", 0.1)
    down = without_broker(settings)
    job_id = await make_job(database)
    assert await operate.list_jobs(down, None, 20) == 0
    assert await operate.show_job(down, job_id) == 0
    assert await operate.cancel_job(down, job_id) == 0
    assert await operate.retry_job(down, job_id) == 0
    assert "a worker hands the job on" in capsys.readouterr().err
    assert await operate.dead(down, purge=False) == 1
    assert "RabbitMQ does not answer" in capsys.readouterr().err


async def test_doctor_counts_what_waits_and_who_works(database: Database, with_broker: Settings) -> None:
    assert (await doctor._workers(with_broker)).advice.startswith("Start one: linkferry worker.")
    await make_job(database)
    async with database.write() as session:
        await presence.sign(session, "a:1", 3)
        await presence.sign(session, "b:2", 2)
    assert (await doctor._workers(with_broker)).found == "2 running, 5 jobs at once"
    async with database.write() as session:
        await presence.sign(session, "b:2", 0)
    assert (await doctor._workers(with_broker)).advice == "These have no room on their disk: b:2."
    assert (await doctor._queue(with_broker)).found == "RabbitMQ, 0 waiting"
    waiting = await doctor._jobs(with_broker)
    assert waiting.found.startswith("1 queued, 0 running, the oldest for 0:") and not waiting.advice
    async with database.write() as session:
        await session.execute(update(Job).values(created_at=db_now(-3600)))
    assert "Run more workers" in (await doctor._jobs(with_broker)).advice


async def test_doctor_tells_of_messages_nobody_can_read(
    with_broker: Settings,
    rabbit: PrivateRabbit,
) -> None:
    await bury(rabbit, with_broker, b"not an id")
    found = await doctor._queue(with_broker)
    assert (found.mark, found.advice) == ("note", "Some messages could not be read: linkferry dead.")


async def test_doctor_gives_a_broker_up_that_does_not_answer(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "ANSWER_TIME", 0.2)
    found = await doctor._queue(without_broker(settings))
    assert (found.mark, found.found) == ("fix", "RabbitMQ.")
    assert found.advice == "It does not answer: start it, or correct LINKFERRY_QUEUE_URL."
    wrong = settings.model_copy(update={"queue_url": "http://a.example"})
    assert "LINKFERRY_QUEUE_URL must be" in (await doctor._queue(wrong)).advice


async def test_doctor_of_the_embedded_service_looks_at_the_lock(settings: Settings) -> None:
    assert (await doctor._queue(settings)).mark == "ok"
    assert (await doctor._worker(settings)).advice == "Start it: linkferry up."
