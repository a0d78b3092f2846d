"""Jobs that are done, with titles and transcripts, on each kind of database."""

from uuid import UUID

import pytest

from shared import jobs
from shared.database import Database
from shared.ids import new_id
from shared.jobs import Ending
from shared.models import Artifact, ArtifactKind, Request
from shared.search.finding import Found, find, rows, word_index
from shared.search.passages import passages
from shared.search.query import read_query
from tests.shared.conftest import claim, make_job


class Library:
    """What people have fetched, and what they find of it."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def fetched(
        self,
        *cues: tuple[float, str],
        title: str = "A film",
        user: str = "ann",
        chat: str = "here",
        link: str | None = None,
        seconds: float = 3600,
        language: str = "en",
    ) -> UUID:
        """A job that somebody asked for, done."""
        job_id = await make_job(self.database, link)
        await self.asked(job_id, user, chat)
        fence = await claim(self.database)
        assert fence.job_id == job_id
        file = Artifact(
            id=new_id(), job_id=job_id, kind=ArtifactKind.CAPTIONS, format="vtt", file_name="a.vtt",
            language=language, content_type="text/vtt", storage_key=str(new_id()), size=1, sha256="0" * 64,
        )  # fmt: skip
        kept = rows(word_index(self.database.is_sqlite), file.id, passages(cues))
        async with self.database.write() as session:
            await jobs.describe(session, fence, title=title, duration=None, media={}, note=None)
            assert await jobs.finish_many(session, [Ending(fence, [file], seconds, passages=kept)]) == [True]
        return job_id

    async def asked(self, job_id: UUID, user: str = "ann", chat: str = "here") -> None:
        """Somebody has a request of this job."""
        request = Request(
            id=new_id(), event_key=str(new_id()), platform="telegram", chat_id=chat, user_id=user,
            job_id=job_id,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(request)

    async def found(self, words: str, user: str = "ann", most: int = 5) -> list[Found]:
        """What this person finds."""
        async with self.database.read() as session:
            return await find(session, read_query(words), Request.user_id == user, most=most)

    async def seconds(self, words: str, user: str = "ann") -> list[list[float]]:
        """The moments of each video that is found."""
        return [[moment.seconds for moment in each.moments] for each in await self.found(words, user)]


@pytest.fixture
def library(database: Database) -> Library:
    """Nothing fetched so far."""
    return Library(database)
