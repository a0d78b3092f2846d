"""When the time of a job's files is over: they go, and whoever still has a link is told so."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from sqlalchemy import func, select, update

from shared import jobs
from shared.chat.words import GONE
from shared.models import Artifact, Passage
from tests.bots.web.test_api import Endpoint, running
from tests.bots.web.test_watch import ENGLISH, FILM, HTML
from tests.bots.web.watching import add_job, page_path
from worker.sweep import Kind, sweep
from worker.tools import Tools


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        yield endpoint


async def artifacts(web: Endpoint, job_id: UUID) -> list[Artifact]:
    async with web.parts.database.read() as session:
        job = await jobs.get(session, job_id)
    assert job
    return job.artifacts


async def said(web: Endpoint, path: str) -> tuple[int, str]:
    """What a browser is shown."""
    answer = await web.client.get(path, headers=HTML)
    return answer.status_code, answer.text


async def test_links_say_that_they_have_expired_and_the_files_go(web: Endpoint) -> None:
    job_id = await add_job(web.parts, [FILM, *ENGLISH])
    other = await add_job(web.parts, [FILM])
    film = (await artifacts(web, job_id))[0]
    link = urlsplit(web.parts.links.url("http://host", film.id, "f.mp4", 3600)).path
    assert (await web.client.get(link)).content == FILM.content

    async with web.parts.database.write() as session:
        await session.execute(
            update(Artifact).where(Artifact.job_id == job_id).values(expires_at=datetime.now(UTC))
        )
        session.add(
            Passage(artifact_id=film.id, start=0.0, words="good morning", cues=[(0.0, "Good morning.")])
        )
    before = await said(web, link)
    tools = Tools(web.parts.settings, web.parts.database, web.parts.storage, None, None)  # type: ignore[arg-type]
    assert len([each async for each in sweep(tools, [Kind.EXPIRED])]) == 1 + len(ENGLISH)
    after = await said(web, link)
    assert before == after
    assert before[0] == 410 and "This link has expired." in before[1]

    status, page = await said(web, page_path(web.parts, job_id))
    assert status == 410 and "no longer kept" in page
    kept = [found.key async for found in web.parts.storage.keys()]  # noqa: SIM118
    assert kept == [(await artifacts(web, other))[0].storage_key]
    async with web.parts.database.read() as session:
        assert await session.scalar(select(func.count()).select_from(Passage)) == 0
    view = await web.parts.follower.view(job_id)
    assert view and all(each.url is None for each in view.artifacts) and view.watch_url is None
    assert "send the link again" in GONE


async def test_a_file_that_was_lost_or_taken_back_is_not_said_to_have_expired(web: Endpoint) -> None:
    job_id = await add_job(web.parts, [FILM])
    film = (await artifacts(web, job_id))[0]
    link = urlsplit(web.parts.links.url("http://host", film.id, "f.mp4", 3600)).path
    async with web.parts.database.write() as session:
        await jobs.mark_deleted(session, [film.id])
    assert (await said(web, link))[0] == 404
    async with web.parts.database.write() as session:
        taken_back = {"revoked_at": datetime.now(UTC), "expires_at": datetime.now(UTC) - timedelta(days=1)}
        await session.execute(update(Artifact).values(deleted_at=None, **taken_back))
    assert (await said(web, link))[0] == 404
