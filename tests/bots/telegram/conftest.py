"""A bot with a database of its own, in chats that the double of Telegram keeps."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import APIRouter
from sqlalchemy import select

import bots.telegram.life
import bots.telegram.updates
import linkferry.telegram
from linkferry import compose
from linkferry.chats import running_chats
from linkferry.compose import Parts, delivering, open_parts, running_worker
from shared.chat import MessageClient
from shared.models import Job, Request
from shared.settings import Settings
from tests.telegram.double import TelegramDouble
from tests.telegram.groups import Group
from tests.telegram.people import Private
from tests.telegram.rooms import User
from worker.child import ChildServer

SECRET = "a-secret-of-the-tests"


def settings_for(data_dir: Path, telegram: TelegramDouble, **changes: Any) -> Settings:
    """Settings of a bot at the double."""
    given: dict[str, Any] = {
        "data_dir": data_dir,
        "telegram_token": telegram.token,
        "telegram_api_url": telegram.url,
    }
    return Settings(_env_file=None, **(given | changes))


@dataclass
class Chatting:
    """A running bot without a worker: jobs stay queued. Ann owns the bot; Bob is nobody."""

    telegram: TelegramDouble
    parts: Parts
    ann: User
    bob: User

    @property
    def private(self) -> Private:
        """Ann alone with the bot."""
        return self.telegram.private(self.ann)

    def group(self, *members: User, **how: Any) -> Group:
        """A group of Ann and others."""
        return self.telegram.group("Film club", *(members or (self.ann, self.bob)), **how)

    async def requests(self) -> list[Request]:
        """Everything asked for, oldest first."""
        async with self.parts.database.read() as session:
            return list(await session.scalars(select(Request).order_by(Request.id)))

    async def jobs(self) -> list[Job]:
        """Every job, oldest first."""
        async with self.parts.database.read() as session:
            return list(await session.scalars(select(Job).order_by(Job.id)))

    async def quiet(self) -> None:
        """Wait until every update so far is confirmed."""
        updates = self.telegram.updates
        await self.telegram.until(lambda: not updates.pending and not updates.repeats)


@asynccontextmanager
async def chatting(settings: Settings) -> AsyncIterator[Parts]:
    """The chats of a process that has no worker."""
    clients: dict[str, MessageClient] = {}
    async with (
        open_parts(settings) as parts,
        delivering(parts, clients) as deliverer,
        running_chats(parts, clients, deliverer),
    ):
        yield parts


@asynccontextmanager
async def working(settings: Settings, children: ChildServer) -> AsyncIterator[list[APIRouter]]:
    """The chats of a process that carries jobs as well, with the warm process of the session."""

    class Borrowed:
        def __init__(self, *_: object) -> None: ...

        async def __aenter__(self) -> ChildServer:
            return children

        async def __aexit__(self, *_: object) -> None: ...

    clients: dict[str, MessageClient] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compose, "ChildServer", Borrowed)
        async with (
            open_parts(settings) as parts,
            running_worker(parts, clients) as deliverer,
            running_chats(parts, clients, deliverer) as routers,
        ):
            yield routers


@pytest_asyncio.fixture
async def telegram() -> AsyncIterator[TelegramDouble]:
    async with TelegramDouble(limits=False, allow_http=True) as running:
        yield running


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same rules, but nobody waits long after an error."""
    for module in (bots.telegram.life, bots.telegram.updates):
        monkeypatch.setattr(module, "PAUSES", (0.05, 0.2))
    monkeypatch.setattr(bots.telegram.updates, "CONFLICT_PAUSE", 0.1)
    monkeypatch.setattr(linkferry.telegram, "windows", lambda chat: ())  # the pace has tests of its own
    yield


@pytest_asyncio.fixture
async def chat(telegram: TelegramDouble, tmp_path: Path) -> AsyncIterator[Chatting]:
    ann, bob = telegram.user("Ann"), telegram.user("Bob")
    settings = settings_for(tmp_path / "data", telegram, telegram_allowed=(str(ann.id),))
    async with chatting(settings) as parts:
        yield Chatting(telegram, parts, ann, bob)
