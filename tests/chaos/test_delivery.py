"""The ambiguous moments of a delivery: the chat did what it was asked, but nobody knows."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bots.intake import Origin
from linkferry.compose import Parts, open_parts
from shared import jobs
from shared.chat.deliver import Deliverer
from shared.database import db_now
from shared.errors import Code, JobError
from shared.jobs import Fence
from shared.link import parse_link
from shared.models import Delivery, Request
from shared.options import Options
from shared.retry import Verdict
from shared.settings import Settings
from tests.chaos.chat import PLATFORM, PORT_VARIABLE, ChatClient, ChatServer, Mood
from tests.waiting import eventually

ORIGIN = Origin(PLATFORM, "chat", "ann", "event")
TRIES = 3


@pytest.fixture
async def chat(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ChatServer]:
    """The chat platform, up."""
    async with ChatServer() as server:
        monkeypatch.setenv(PORT_VARIABLE, str(server.port))
        yield server


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    """The shared parts on an empty data folder."""
    async with open_parts(Settings(_env_file=None, data_dir=tmp_path)) as opened:
        yield opened


async def test_a_post_whose_answer_was_dropped_makes_no_second_result(parts: Parts, chat: ChatServer) -> None:
    """A request without a status message: a crash, or a chat that was away, has cost it."""
    asked = await parts.intake.submit(parse_link("https://a.example/1"), Options(), ORIGIN)
    async with parts.database.write() as session:
        job = await jobs.claim(session, "worker", parts.settings)
        assert job is not None
        fence = Fence(job.id, job.attempt)
        await jobs.fail(session, fence, JobError(Code.PRIVATE), Verdict(None), job.site)
    chat.mood = Mood.DROPS
    for left in reversed(range(TRIES)):
        if left == 0:
            chat.mood = Mood.UP
        await _deliver(parts)
    async with parts.database.read() as session:
        assert (await session.get_one(Request, asked.request_id)).delivery is Delivery.DELIVERED
    finals = [message for message in chat.messages.values() if any(shown.is_final for shown in message.shown)]
    assert len(finals) == 1, chat.messages


async def _deliver(parts: Parts) -> None:
    """One try; afterwards it is due again if it failed."""
    deliverer = Deliverer(parts.database, {PLATFORM: ChatClient()}, parts.results)
    async with parts.database.read() as session:
        before = await session.scalar(select(Request.delivery_failures))

    async def was_tried() -> bool:
        async with parts.database.read() as session:
            (request,) = await session.scalars(select(Request))
        return request.delivery is Delivery.DELIVERED or request.delivery_failures != before

    task = asyncio.create_task(deliverer.run())
    await eventually(was_tried)
    task.cancel()
    await asyncio.wait([task])
    async with parts.database.write() as session:
        await session.execute(update(Request).values(delivery_after=db_now(-1)))
