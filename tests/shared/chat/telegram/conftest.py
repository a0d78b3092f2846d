"""The client against the double of Telegram, with jobs whose files are really stored."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, select
from telegram import Bot

from shared.chat.telegram.bot import open_bot
from shared.chat.telegram.client import TelegramClient
from shared.models import Request, Upload
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.shared.chat.archive import Archive
from tests.sqlite import new_database
from tests.telegram.call import Call
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Chat


@dataclass(kw_only=True)
class Desk(Archive):
    """A client, the Telegram it talks to, and jobs for it."""

    telegram: TelegramDouble
    bot: Bot
    client: TelegramClient = field(init=False)

    def __post_init__(self) -> None:
        self.client = self.another()

    def another(self, **how: Any) -> TelegramClient:
        """One more client, as after a restart."""
        return TelegramClient(self.bot, self.database, self.storage, self.settings, **how)

    async def asks(self, chat: Chat, job_id: UUID | None = None, **about: Any) -> Request:
        """Somebody's request in this chat, for this job or one of its own."""
        return await self.request("telegram", str(chat.id), "7", job_id, **about)

    async def shows(self, request: Request, client: TelegramClient | None = None) -> str:
        """Post the status message and show the end of the job in it, as a delivery does."""
        message = await self.client.post(request, await self.running(request))
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
    database = await new_database(tmp_path)
    async with TelegramDouble(limits=False) as telegram:
        settings = Settings(
            _env_file=None, data_dir=tmp_path, telegram_token=telegram.token, telegram_api_url=telegram.url,
            public_url="https://ferry.example.org",
        )  # fmt: skip
        async with open_bot(settings) as bot:
            yield Desk(
                telegram=telegram,
                bot=bot,
                database=database,
                storage=LocalStorage(tmp_path / "files"),
                settings=settings,
                folder=tmp_path,
            )
    await database.close()
