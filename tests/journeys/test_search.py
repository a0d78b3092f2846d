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
async def test_what_is_said_is_found_at_its_moment_by_all_who_asked(service: Service, link: str) -> None:
    view = await service.get(link, **SUBS)
    ((first,),) = await found(service, FIRST)
    page, _, begins = first.rpartition("#t=")
    assert page.startswith(view.watch_url.rpartition("/")[0])
    assert float(begins) == pytest.approx(0.3, abs=0.3)
    ((later,),) = await found(service, LATER)
    assert float(later.rpartition("#t=")[2]) == pytest.approx(2.3, abs=0.3), (
        "where the line about the ferry begins"
    )
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
        over = [artifact_id for artifact_id, *_ in await jobs.expired(session)]
        assert over and all([await jobs.expire(session, artifact_id) for artifact_id in over])
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Passage)) == 0
