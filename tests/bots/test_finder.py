"""What a search answers, and where its links lead."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from bots.finder import (
    MORE,
    MOST,
    MOST_MOMENTS,
    NO_WORDS,
    NOTHING,
    Finder,
    Hits,
    Seeker,
    moment_url,
    visible,
)
from bots.follow import Follower
from shared.links import Links
from shared.models import ArtifactKind, JobState
from shared.queue import EmbeddedQueue
from shared.results import ArtifactView, JobView, Results
from shared.search.finding import find
from shared.search.moments import Moment
from shared.search.query import read_query
from shared.settings import Settings
from tests.shared.search.conftest import Library, library
from tests.shared.test_database import plan_of
from tests.sqlite import new_database

__all__ = ["library"]

ANN = Seeker("telegram", "here", "ann", sees_own=False)


@pytest.fixture
def finder(library: Library, tmp_path: Path) -> Finder:
    """Looks through the library."""
    settings = Settings(_env_file=None, data_dir=tmp_path, public_url="https://ferry.example")
    results = Results(settings, Links(["k" * 32]))
    return Finder(library.database, Follower(library.database, EmbeddedQueue(), results, settings.lease))


async def found(finder: Finder, words: str) -> Hits:
    """What Ann finds in the group."""
    return await finder.find(words, ANN)


async def test_nothing_found_and_no_word_say_what_to_do(finder: Finder, library: Library) -> None:
    await library.fetched((1, "the budget"))
    assert await found(finder, "holiday") == Hits((), NOTHING)
    assert await found(finder, "?!") == Hits((), NO_WORDS)


async def test_a_moment_opens_the_watch_page_where_its_line_begins(finder: Finder, library: Library) -> None:
    await library.fetched((1, "Good evening"), (83.9, "the budget"), title="Talk")
    (hit,) = (await found(finder, "budget")).hits
    assert hit.view.title == "Talk" and hit.view.watch_url is not None
    assert [spot.url for spot in hit.spots] == [f"{hit.view.watch_url}#t=83.9"]
    assert hit.view.watch_url.startswith("https://ferry.example/w/")


async def test_many_moments_and_many_videos_are_cut_and_told_so(finder: Finder, library: Library) -> None:
    for number in range(MOST + 1):
        await library.fetched(*((300.0 * each, "the budget") for each in range(5)), title=str(number))
    hits = await found(finder, "budget")
    assert [hit.view.title for hit in hits.hits] == ["5", "4", "3", "2", "1"]
    assert hits.sentence == MORE
    assert {(len(hit.spots), hit.more) for hit in hits.hits} == {(MOST_MOMENTS, 2)}


async def test_sqlite_begins_with_what_one_may_see(tmp_path: Path) -> None:
    """Not with all that has the words, whoever may see it, nor with all requests of the platform."""
    database = await new_database(tmp_path)
    alone = Seeker("telegram", "1", "1", sees_own=True)
    plan = await plan_of(
        database, lambda session: find(session, read_query("budget"), visible(alone), most=1)
    )
    await database.close()
    for looked_up in ("(platform=? AND chat_id=?)", "(platform=? AND user_id=?)", "(artifact_id=?)"):
        assert looked_up in plan


@pytest.mark.parametrize(
    ("language", "asked"), [("en", ""), ("pt-BR", "?language=pt-BR"), (None, ""), ("x&y", "?language=x%26y")]
)
def test_a_moment_opens_the_transcript_that_has_it(language: str | None, asked: str) -> None:
    page = "https://ferry.example/w/token"
    url = moment_url(a_view(page, "en", "pt-BR"), Moment(3.5, (), language))
    assert url == f"{page}{asked}#t=3.5"
    assert moment_url(a_view(None, "en"), Moment(3.5, (), language)) is None


def a_view(page: str | None, *languages: str) -> JobView:
    """A job that is done, with a transcript in each language."""
    nobody = UUID(int=0)
    files = tuple(
        ArtifactView(
            id=nobody, kind=ArtifactKind.CAPTIONS, format="vtt", language=language, source="manual",
            height=None, duration_seconds=None, file_name="a.vtt", size_bytes=1, sha256="0",
            url="https://ferry.example/f/token", download_url=None, expires_at=datetime.now(UTC),
        )
        for language in languages
    )  # fmt: skip
    return JobView(
        job_id=nobody, state=JobState.DONE, stage=None, progress=None, position=None, starts_in=None,
        retry_in=None, title="A", duration_seconds=1, note=None, artifacts=files, offers=None, error=None,
        watch_url=page,
    )  # fmt: skip
