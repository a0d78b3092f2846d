"""The client against the double of Telegram, with jobs whose files are really stored."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import selectinload
from telegram import Bot

import migrations
from shared.chat.telegram.bot import open_bot
from shared.chat.telegram.client import TelegramClient
from shared.database import Database
from shared.ids import new_id
from shared.links import Links
from shared.models import Artifact, ArtifactKind, Job, JobState, Request, Upload
from shared.results import JobView, Results
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.telegram.call import Call
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Chat


@dataclass
class Desk:
    """A client, the Telegram it talks to, and jobs for it."""

    telegram: TelegramDouble
    bot: Bot
    database: Database
    storage: LocalStorage
    settings: Settings
    folder: Path
    client: TelegramClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.another()

    def another(self, **how: Any) -> TelegramClient:
        """One more client, as after a restart."""
        return TelegramClient(self.bot, self.database, self.storage, self.settings, **how)

    async def asks(self, chat: Chat, job_id: UUID | None = None, **about: Any) -> Request:
        """Somebody's request in this chat, for this job or one of its own."""
        job_id = job_id or await self.job()
        request = Request(
            id=new_id(), event_key=str(new_id()), platform="telegram", chat_id=str(chat.id), user_id="7",
            job_id=job_id, **{"as_link": False, "delivery_failures": 0} | about,
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

    async def stored(
        self, kind: ArtifactKind, form: str, content: bytes, name: str = "Film", **about: Any
    ) -> Artifact:
        """A file that lies in the storage."""
        source = self.folder / new_id().hex
        source.write_bytes(content)
        key = f"{new_id()}/0.{kind}.{form}"
        await self.storage.put(key, source)
        return Artifact(
            id=new_id(), kind=kind, format=form, file_name=f"{name}.{form}", content_type="x/y",
            storage_key=key, size=len(content), sha256=sha256(content).hexdigest(),
            expires_at=datetime.now(UTC) + timedelta(days=1), **about,
        )  # fmt: skip

    async def view(self, job_id: UUID, **about: Any) -> JobView:
        """The job as it is, or in another state."""
        loaded = select(Job).where(Job.id == job_id).options(selectinload(Job.artifacts))
        async with self.database.read() as session:
            job = (await session.scalars(loaded)).one()
        view = Results(self.settings, Links(["k" * 32])).view(job)
        return view.model_copy(update=about)

    async def shows(self, request: Request, client: TelegramClient | None = None) -> str:
        """Post the status message and show the end of the job in it, as a delivery does."""
        running = await self.view(request.job_id, state=JobState.RUNNING, artifacts=())
        message = await self.client.post(request, running)
        await (client or self.client).edit(request, message, await self.view(request.job_id))
        return message

    async def remembered(self) -> int:
        """How many uploads are remembered."""
        async with self.database.read() as session:
            return await session.scalar(select(func.count()).select_from(Upload)) or 0

    def sent_bytes(self, *methods: str) -> list[int]:
        """The bytes of files in each call of these methods."""
        return [sum(len(one.content) for one in call.files.values()) for call in self.telegram.made(*methods)]


def media_of(call: Call) -> dict[str, Any]:
    """What an editMessageMedia said about its file."""
    found: dict[str, Any] = json.loads(call.text("media"))
    return found


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """Everything that the client needs; no rate limits."""
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/linkferry.db")
    await migrations.upgrade(database)
    async with TelegramDouble(limits=False) as telegram:
        settings = Settings(
            _env_file=None, data_dir=tmp_path, telegram_token=telegram.token, telegram_api_url=telegram.url,
            public_url="https://ferry.example.org",
        )  # fmt: skip
        async with open_bot(settings) as bot:
            yield Desk(telegram, bot, database, LocalStorage(tmp_path / "files"), settings, tmp_path)
    await database.close()
