"""What is said in a fetched video is found from the moment its files are there until they are gone."""

import pytest
from sqlalchemy import func, select, update

from bots.finder import Finder, Seeker
from shared import jobs
from shared.database import db_now
from shared.models import Artifact, Passage
from tests.journeys.chat import PLATFORM
from tests.journeys.service import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")

SUBS = {"media": False, "languages": ("en",)}
FIRST, LATER = '"to the harb*"', '"leaves at noon please keep"'  # the second one goes on in another cue


async def found(service: Service, words: str, who: str = "ann") -> list[list[str]]:
    """The links of the moments in each video that somebody finds in private."""
    finder = Finder(service.parts.database, service.parts.follower)
    hits = await finder.find(words, Seeker(PLATFORM, f"chat of {who}", who, sees_own=True))
    return [[str(spot.url) for spot in hit.spots] for hit in hits.hits]


@pytest.mark.parametrize("link", ["/tube/manualonly", "/tube/autoonly"])
async def test_what_is_said_is_found_at_its_second_by_all_who_asked(service: Service, link: str) -> None:
    view = await service.get(link, **SUBS)
    ((first,),) = await found(service, FIRST)
    assert first.startswith(view.watch_url.rpartition("/")[0]) and first.endswith("#t=0")
    ((later,),) = await found(service, LATER)
    assert later.endswith("#t=2"), "the ferry leaves 2.6 seconds after the start"
    assert await found(service, FIRST, "bob") == []
    await service.get(link, "bob", **SUBS)
    assert len(await found(service, FIRST, "bob")) == 1


async def test_it_is_forgotten_with_the_files(service: Service) -> None:
    await service.get("/tube/ferry", quality="480p", languages=("en", "de"))
    assert await found(service, LATER)
    database = service.parts.database
    async with database.write() as session:
        await session.execute(update(Artifact).values(expires_at=db_now(-1)))
    assert await found(service, LATER) == []
    async with database.write() as session:
        assert await jobs.expire(session)
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Passage)) == 0
