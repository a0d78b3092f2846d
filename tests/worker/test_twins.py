"""Which links are the same media, and what becomes of the second, on each kind of database."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

import shared.stock
from shared import jobs
from shared.database import Database, db_now
from shared.jobs import Fence
from shared.models import Artifact, JobState
from shared.options import Options
from tests.cellar import Cellar
from tests.shared.conftest import SETTINGS, claim, connect, database, finish, load, make_job, postgres
from worker.child.protocol import Identity, Media
from worker.twins import Twins, identity_of

__all__ = ["connect", "database", "postgres"]

FILM = Identity(extractor="Youtube", media_id="abcdefghijk")


def found(extractor: str, media_id: str) -> Media:
    """What probing a page found."""
    return Media(extractor=extractor, media_id=media_id, title="t")


@pytest.mark.parametrize("extractor", ["Generic", "HTML5MediaEmbed"])
def test_generic_pages_that_end_alike_are_never_the_same_media(extractor: str) -> None:
    assert identity_of(found(extractor, "clip")) is None


@pytest.mark.parametrize("extractor", ["Generic", "Someone"])
def test_pages_that_name_nothing_are_told_apart_by_their_links_alone(extractor: str) -> None:
    assert identity_of(found(extractor, "")) is None


def test_a_site_of_its_own_names_its_media_by_id() -> None:
    assert identity_of(found("Youtube", FILM.media_id)) == FILM


class Pair:
    """A job that is done, and one that is about the same film and still runs."""

    def __init__(self, database: Database, cellar: Cellar) -> None:
        self.database = database
        self.cellar = cellar

    async def begin(self, seconds: float = 3600) -> None:
        """The files of the first live so long."""
        await make_job(self.database, None)
        self.first = await claim(self.database)
        assert not await self.twins(self.first).joined(FILM)
        await finish(self.database, self.first, seconds)
        await make_job(self.database, None)
        self.second = await claim(self.database)

    def twins(self, fence: Fence) -> Twins:
        """What joins this attempt."""
        return Twins(fence, Options(), self.database, self.cellar, SETTINGS)

    async def is_joined(self) -> bool:
        """Whether the second ended as the first."""
        joined = await self.twins(self.second).joined(FILM)
        job = await load(self.database, self.second.job_id)
        assert (job.state, job.joined_to) == (
            (JobState.JOINED, self.first.job_id) if joined else (JobState.RUNNING, None)
        )
        return joined


@pytest.fixture
def pair(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pair:
    """Nothing has begun."""
    monkeypatch.setattr(shared.stock, "PATIENCE", 60.0)
    return Pair(database, Cellar(tmp_path))


async def test_files_that_answer_for_a_second_link_are_kept_as_long_as_new_ones(pair: Pair) -> None:
    await pair.begin(seconds=60)
    assert await pair.is_joined()
    async with pair.database.read() as session:
        late = select(Artifact.job_id).where(Artifact.expires_at > db_now(SETTINGS.retention - 60))
        assert list(await session.scalars(late)) == [pair.first.job_id]


async def test_a_job_whose_files_somebody_removed_has_no_twin(pair: Pair) -> None:
    await pair.begin()
    pair.cellar.has_it = False
    assert not await pair.is_joined()
    async with pair.database.read() as session:
        assert await session.scalar(select(Artifact.deleted_at)) is not None
    assert (await load(pair.database, pair.second.job_id)).media_key is not None


@pytest.mark.parametrize("is_revoked", [False, True])
async def test_while_the_storage_thinks_others_write_and_what_they_write_counts(
    pair: Pair, is_revoked: bool
) -> None:
    await pair.begin()
    pair.cellar.answers.clear()
    async with asyncio.timeout(60):
        joining = asyncio.create_task(pair.is_joined())
        await pair.cellar.asked.wait()
        async with pair.database.write() as session:
            await jobs.renew(session, pair.second, SETTINGS.lease)
            if is_revoked:
                await jobs.revoke(session, pair.first.job_id)
        pair.cellar.answers.set()
        assert await joining != is_revoked
