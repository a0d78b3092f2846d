"""The client against the double of Slack, with jobs whose files are really stored."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import select

from shared.chat.slack.chats import PLATFORM, chat_id
from shared.chat.slack.client import SlackClient
from shared.chat.slack.sharing import Sharing
from shared.chat.slack.web import one_workspace, open_session
from shared.models import Artifact, ArtifactKind, Request, Upload
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.shared.chat.archive import Archive
from tests.slack.double import SlackDouble
from tests.slack.people import Channel, Person
from tests.sqlite import new_database


@dataclass(kw_only=True)
class Desk(Archive):
    """A client, the Slack it talks to, a channel with somebody in it, and jobs for them."""

    slack: SlackDouble
    session: aiohttp.ClientSession
    ann: Person
    channel: Channel

    def __post_init__(self) -> None:
        self.client = self.another()

    def another(self) -> SlackClient:
        """One more client, as after a restart."""
        clients = one_workspace(self.slack.token, self.slack.api_url, self.session)
        return SlackClient(clients, self.session, Sharing(self.database, self.storage))

    def chat(self, channel: Channel | None = None) -> str:
        """The chat's id, as requests have it."""
        return chat_id(self.slack.team.id, (channel or self.channel).id)

    async def asks(self, job_id: UUID | None = None, channel: Channel | None = None, **about: Any) -> Request:
        """Ann's request for this job or one of its own."""
        return await self.request(PLATFORM, self.chat(channel), self.ann.id, job_id, **about)

    async def transcript(self, text: bytes = b"Hello there.\n", form: str = "txt", **about: Any) -> Artifact:
        """A stored transcript."""
        kind = ArtifactKind.TRANSCRIPT if form == "txt" else ArtifactKind.CAPTIONS
        return await self.stored(kind, form, text, **{"language": "en", "source": "manual"} | about)

    async def posts(self, request: Request, client: SlackClient | None = None) -> str:
        """Post the status message."""
        return await (client or self.client).post(request, await self.running(request))

    async def delivers(self, request: Request, message: str, client: SlackClient | None = None) -> None:
        """Show the end of the job, as a delivery does."""
        await (client or self.client).edit(request, message, await self.view(request.job_id))

    async def uploads(self) -> list[Upload]:
        """What is remembered about files."""
        async with self.database.read() as session:
            return list(await session.scalars(select(Upload)))


async def open_desk(folder: Path, slack: SlackDouble) -> AsyncIterator[Desk]:
    """Everything that the client needs."""
    database = await new_database(folder)
    settings = Settings(_env_file=None, data_dir=folder, public_url="https://ferry.example")
    async with slack, open_session() as session:
        ann = slack.user("Ann")
        channel = slack.channel("general", members=[ann], bot=True)
        yield Desk(
            slack=slack,
            session=session,
            database=database,
            storage=LocalStorage(folder / "files"),
            settings=settings,
            folder=folder,
            ann=ann,
            channel=channel,
        )
    await database.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """An app that has every scope, and no rate limits."""
    async for found in open_desk(tmp_path, SlackDouble(limits=False)):
        yield found
