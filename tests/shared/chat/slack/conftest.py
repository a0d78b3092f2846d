"""The client against the double of Slack, with jobs whose files are really stored."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

import migrations
from shared.chat.slack.chats import PLATFORM, chat_id
from shared.chat.slack.client import SlackClient
from shared.chat.slack.sharing import Sharing
from shared.chat.slack.web import one_workspace, open_session
from shared.database import Database
from shared.ids import new_id
from shared.links import Links
from shared.models import Artifact, ArtifactKind, Job, JobState, Request, Upload
from shared.results import JobView, Results
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.slack.double import SlackDouble
from tests.slack.people import Channel, Person


@dataclass
class Desk:
    """A client, the Slack it talks to, a channel with somebody in it, and jobs for them."""

    slack: SlackDouble
    session: aiohttp.ClientSession
    database: Database
    storage: LocalStorage
    settings: Settings
    folder: Path
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
        request = Request(
            id=new_id(), event_key=str(new_id()), platform=PLATFORM, chat_id=self.chat(channel),
            user_id=self.ann.id, job_id=job_id or await self.job(), delivery_failures=0,
            **{"as_link": False, "created_at": datetime.now(UTC)} | about,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(request)
        return request

    async def job(self, *files: Artifact, **about: Any) -> UUID:
        """A finished job with these files."""
        job = Job(
            id=new_id(), link="https://a.example/1", site="a.example", user_key="u",
            **{"options": {}, "state": JobState.DONE, "title": "A <film> & more"} | about,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(job)
            await session.flush()
            for artifact in files:
                artifact.job_id = job.id
            session.add_all(files)
        return job.id

    async def stored(self, kind: ArtifactKind, form: str, content: bytes, **about: Any) -> Artifact:
        """A file that lies in the storage."""
        source = self.folder / new_id().hex
        source.write_bytes(content)
        key = f"{new_id()}/0.{kind}.{form}"
        await self.storage.put(key, source)
        return Artifact(
            id=new_id(), kind=kind, format=form, file_name=f"Film.{form}", content_type="x/y",
            storage_key=key, size=len(content), sha256=sha256(content).hexdigest(),
            expires_at=datetime.now(UTC) + timedelta(days=1), **about,
        )  # fmt: skip

    async def transcript(self, text: bytes = b"Hello there.\n", form: str = "txt", **about: Any) -> Artifact:
        """A stored transcript."""
        kind = ArtifactKind.TRANSCRIPT if form == "txt" else ArtifactKind.CAPTIONS
        return await self.stored(kind, form, text, **{"language": "en", "source": "manual"} | about)

    async def view(self, job_id: UUID, **about: Any) -> JobView:
        """The job as it is, or in another state."""
        loaded = select(Job).where(Job.id == job_id).options(selectinload(Job.artifacts))
        async with self.database.read() as session:
            job = (await session.scalars(loaded)).one()
        return Results(self.settings, Links(["k" * 32])).view(job).model_copy(update=about)

    async def running(self, request: Request) -> JobView:
        """The request's job as if it still ran."""
        return await self.view(request.job_id, state=JobState.RUNNING, artifacts=())

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
    database = Database(f"sqlite+aiosqlite:///{folder}/linkferry.db")
    await migrations.upgrade(database)
    settings = Settings(_env_file=None, data_dir=folder, public_url="https://ferry.example")
    async with slack, open_session() as session:
        ann = slack.user("Ann")
        channel = slack.channel("general", members=[ann], bot=True)
        yield Desk(slack, session, database, LocalStorage(folder / "files"), settings, folder, ann, channel)
    await database.close()


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """An app that has every scope, and no rate limits."""
    async for found in open_desk(tmp_path, SlackDouble(limits=False)):
        yield found
