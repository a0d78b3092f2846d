"""Finished jobs whose files are really stored, for the client of any chat."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import selectinload

from shared.database import Database
from shared.ids import new_id
from shared.links import Links
from shared.models import Artifact, ArtifactKind, Job, JobState, Request
from shared.results import JobView, Results
from shared.settings import Settings
from shared.storage import LocalStorage


@dataclass(kw_only=True)
class Archive:
    """What the tests of both chats' clients put into the database and into storage."""

    database: Database
    storage: LocalStorage
    settings: Settings
    folder: Path

    async def request(
        self, platform: str, chat: str, user: str, job_id: UUID | None, **about: Any
    ) -> Request:
        """Somebody's request for this job or one of its own."""
        request = Request(
            id=new_id(), event_key=str(new_id()), platform=platform, chat_id=chat, user_id=user,
            job_id=job_id or await self.job(),
            **{"as_link": False, "delivery_failures": 0, "created_at": datetime.now(UTC)} | about,
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
        return Results(self.settings, Links(["k" * 32])).view(job).model_copy(update=about)

    async def running(self, request: Request) -> JobView:
        """The request's job as if it still ran."""
        return await self.view(request.job_id, state=JobState.RUNNING, artifacts=())
