"""Looking for words in what some requests brought: the titles, and the transcripts that are still kept.

Who may see what is said by requests: whoever asked for a link that files fetched before answered has a
request of the same job, and finds the same.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, Subquery, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.models import Artifact, Job, JobState, Request, is_gone
from shared.models import Passage as PassageRow
from shared.search.moments import Moment, moment
from shared.search.passages import Passage
from shared.search.port import WordIndex
from shared.search.postgresql import TsVector
from shared.search.query import Query, Term
from shared.search.sqlite import Fts5

MOST_JOBS = 30  # the newest ones that have the words; some of them are about the same video
MOST_PASSAGES = 8  # of one job, which overlap


@dataclass(frozen=True)
class Found:
    """A video that has what was looked for, in its title or at `moments`, which are in order.

    `job_id`: of the jobs about it, the newest one with the most to show.
    """

    job_id: UUID
    moments: tuple[Moment, ...]


@dataclass
class _Video:
    """What was found of one link."""

    job_id: UUID
    asked_at: datetime
    worth: int
    passages: list[int] = field(default_factory=list)


def word_index(is_sqlite: bool) -> WordIndex:
    """How a database keeps words."""
    return Fts5() if is_sqlite else TsVector()


def rows(index: WordIndex, artifact_id: UUID, passages: Iterable[Passage]) -> list[dict[str, Any]]:
    """A transcript as rows of the table: `artifact_id` is one of the files that have it."""
    return [
        {
            "artifact_id": artifact_id,
            "start": passage.cues[0][0],
            "words": index.words(passage.tokens),
            "cues": passage.cues,
        }
        for passage in passages
    ]


async def find(session: AsyncSession, query: Query, *scope: ColumnElement[bool], most: int) -> list[Found]:
    """The videos that have all of the query, the one that was asked for last first.

    `scope` is SQL that says of requests that they count.
    """
    if not query.terms:
        return []
    seen = _seen(scope)
    videos: dict[str, _Video] = {}
    for link, job_id, asked_at, passage in await session.execute(_spoken(session, query, seen)):
        video = _known(videos, link, _Video(job_id, asked_at, worth=2))
        if video.job_id == job_id:
            video.passages.append(passage)
    for link, job_id, asked_at, has_files in await session.execute(_titled(query, seen)):
        _known(videos, link, _Video(job_id, asked_at, worth=int(has_files)))
    newest = sorted(videos.values(), key=lambda video: video.asked_at, reverse=True)[:most]
    moments = await _moments(session, query, [place for video in newest for place in video.passages])
    return [
        Found(video.job_id, tuple(_apart(moments[place] for place in video.passages))) for video in newest
    ]


def _known(videos: dict[str, _Video], link: str, one: _Video) -> _Video:
    """What is known of a link now that this was found too; it counts as asked for when it last was."""
    known = videos.setdefault(link, one)
    asked_at = max(known.asked_at, one.asked_at)
    if (one.worth, one.asked_at) > (known.worth, known.asked_at) and one.job_id != known.job_id:
        known = videos[link] = one
    known.asked_at = asked_at
    return known


def _seen(scope: Sequence[ColumnElement[bool]]) -> Subquery:
    """SQL: the jobs of these requests, and when each was last asked for."""
    asked = select(Request.job_id, func.max(Request.created_at).label("asked_at"))
    return asked.where(Request.cancelled.is_(False), *scope).group_by(Request.job_id).subquery("seen")


def _spoken(session: AsyncSession, query: Query, seen: Subquery) -> Select[Any]:
    """SQL: the first passages with these words of each job, of the newest jobs."""
    index = word_index(session.get_bind().dialect.name == "sqlite")
    place = func.row_number().over(partition_by=seen.c.job_id, order_by=(PassageRow.start, PassageRow.id))
    found = (
        select(seen.c.job_id, seen.c.asked_at, PassageRow.id, place.label("place"))
        .join(Artifact, Artifact.job_id == seen.c.job_id)
        .join(PassageRow, PassageRow.artifact_id == Artifact.id)
        .where(~is_gone(), index.having(query))
        .subquery("found")
    )
    first = select(Job.link, found.c.job_id, found.c.asked_at, found.c.id).where(
        found.c.place <= MOST_PASSAGES
    )
    newest = first.order_by(found.c.asked_at.desc(), found.c.job_id, found.c.place)
    return newest.join(Job, Job.id == found.c.job_id).limit(MOST_PASSAGES * MOST_JOBS)


def _titled(query: Query, seen: Subquery) -> Select[Any]:
    """SQL: the newest jobs with a title that has these words, and whether there still are files."""
    has_files = exists().where(Artifact.job_id == Job.id, ~is_gone())
    asked = [Job.title_words.like(_pattern(term)) for term in query.terms]
    titled = select(Job.link, Job.id, seen.c.asked_at, has_files).join(seen, seen.c.job_id == Job.id)
    newest = titled.where(Job.state == JobState.DONE, *asked).order_by(seen.c.asked_at.desc())
    return newest.limit(MOST_JOBS)


def _pattern(term: Term) -> str:
    """For LIKE, on what `words.title_words` makes; no token has a character that means anything there."""
    return f"% {' '.join(term.tokens)}{'' if term.is_open else ' '}%"


async def _moments(session: AsyncSession, query: Query, passages: Sequence[int]) -> dict[int, Moment | None]:
    asked = (
        select(PassageRow.id, PassageRow.cues, Artifact.language)
        .join(Artifact, Artifact.id == PassageRow.artifact_id)
        .where(PassageRow.id.in_(passages))
    )
    if not passages:
        return {}
    found = await session.execute(asked)
    return {passage: moment(query, cues, language) for passage, cues, language in found}


def _apart(moments: Iterable[Moment | None]) -> list[Moment]:
    """Each second once: passages overlap, and languages say the same."""
    by_second = {int(found.seconds): found for found in moments if found}
    return [by_second[second] for second in sorted(by_second)]
