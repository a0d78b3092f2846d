"""`/find`: what one may look through, and what is found, the same on every platform."""

from dataclasses import dataclass
from urllib.parse import quote

from sqlalchemy import ColumnElement, and_, or_

from bots.follow import Follower
from shared.database import Database
from shared.models import ArtifactKind, Request
from shared.moment import at_moment
from shared.results import JobView
from shared.search.finding import find
from shared.search.moments import Moment
from shared.search.query import read_query

MOST = 5  # videos in one answer
MOST_MOMENTS = 3  # of one video in one answer

NO_WORDS = 'Look for a word: /find and letters or digits, such as /find budget or /find "next year".'
NOTHING = (
    "Nothing of what you have fetched has that in its title or its transcript. "
    "Try fewer words, or the beginning of one with *, such as /find budg*."
)
MORE = "There is more: add a word, or put a phrase in quotes."
SPOKEN = (ArtifactKind.CAPTIONS, ArtifactKind.TRANSCRIPT)


@dataclass(frozen=True)
class Seeker:
    """Who looks, and where. `sees_own`: the answer may also tell of what this person fetched elsewhere."""

    platform: str
    chat_id: str
    user_id: str
    sees_own: bool


@dataclass(frozen=True)
class Spot:
    """A moment that has what was looked for; `url` opens the watch page there, as long as there is one."""

    moment: Moment
    url: str | None


@dataclass(frozen=True)
class Hit:
    """A video that has what was looked for, in its title or at these moments; so many are not shown."""

    view: JobView
    spots: tuple[Spot, ...]
    more: int


@dataclass(frozen=True)
class Hits:
    """What a search found, the newest first; `sentence` says what to do where that is not all, or nothing."""

    hits: tuple[Hit, ...]
    sentence: str | None


class Finder:
    """Looks through titles and transcripts."""

    def __init__(self, database: Database, follower: Follower) -> None:
        self._database = database
        self._follower = follower

    async def find(self, words: str, seeker: Seeker) -> Hits:
        """What has all these words, of what the seeker may see."""
        query = read_query(words)
        if not query.terms:
            return Hits((), NO_WORDS)
        async with self._database.read() as session:
            found = await find(session, query, visible(seeker), most=MOST + 1)
        shown = found[:MOST]
        views = await self._follower.views([video.job_id for video in shown])
        hits = [_hit(views[video.job_id], video.moments) for video in shown if video.job_id in views]
        if not hits:
            return Hits((), NOTHING)
        return Hits(tuple(hits), MORE if len(found) > MOST else None)


def visible(seeker: Seeker) -> ColumnElement[bool]:
    """SQL: requests made where the seeker is, and those the seeker made.

    Nobody tells us reliably who is in which other chat, so those stay among themselves. The platform stands
    on both sides of the `or`, so that SQLite takes an index for each, not all requests of the platform.
    """
    there = Request.platform == seeker.platform
    here = and_(there, Request.chat_id == seeker.chat_id)
    return or_(here, and_(there, Request.user_id == seeker.user_id)) if seeker.sees_own else here


def moment_url(view: JobView, moment: Moment) -> str | None:
    """The watch page at that moment, with the transcript that has it."""
    if view.watch_url is None:
        return None
    languages = [each.language for each in view.artifacts if each.kind in SPOKEN and each.url]
    is_first = moment.language is None or languages[:1] == [moment.language]
    asked = "" if is_first else f"?language={quote(moment.language or '', safe='')}"
    return at_moment(f"{view.watch_url}{asked}", moment.seconds)


def _hit(view: JobView, moments: tuple[Moment, ...]) -> Hit:
    shown = [Spot(moment, moment_url(view, moment)) for moment in moments[:MOST_MOMENTS]]
    return Hit(view, tuple(shown), len(moments) - len(shown))
