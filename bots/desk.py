"""What people can ask for in a chat, the same on every platform: take, choose, cancel, retry, look, find."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import ColumnElement, Select, and_, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bots.commands import Get, Subs
from bots.finder import Finder, Hits, Seeker
from bots.follow import Follower
from bots.intake import Intake, Origin, Submitted, cancel, storing
from shared import deliveries
from shared.chat.choices import WORDS, options_of
from shared.database import Database, upsert
from shared.errors import JobError, LinkferryError
from shared.ids import short_id
from shared.link import Link
from shared.models import ACTIVE, ChatSettings, Job, JobState, Request, table
from shared.options import Options
from shared.queue import Queue
from shared.results import JobView

RECENT = 10  # requests that `/status` shows at most

NOT_YOURS = "Only the person who asked, or an admin, can do that."
NOT_FOUND = "I know no such download; /status shows yours."
UNKNOWN_BUTTON = "I do not know that button any more; send the link again."
OVER = "That is over already; its message shows how, or will in a moment."
NOTHING_YET = "You have asked for nothing yet. Send me a link."
NOTHING_RUNS = "Nothing of yours is waiting or running."
WHICH = "Several of your downloads are going on; say which one: /cancel and the id that /status shows."


class NotStored(Exception):
    """The database is away: nothing was taken, and what was said must come again."""


class Refused(LinkferryError):
    """No, and why: one sentence for the person."""


class NotAllowed(Refused):
    """Not to this person; an admin of the chat may be told yes."""


@dataclass(frozen=True)
class Asker:
    """Who speaks, and where. `reply_to` is the message that asks; `is_admin`: may act for others here.

    `is_private`: nobody else sees what is answered, so it may tell of other chats.
    """

    platform: str
    chat_id: str
    user_id: str
    thread_id: str | None = None
    reply_to: str | None = None
    is_admin: bool = False
    is_private: bool = False


@dataclass(frozen=True)
class Asked:
    """One request of a person, and how it is doing."""

    request: Request
    view: JobView

    @property
    def short_id(self) -> str:
        """What people see and type."""
        return short_id(self.request.id)


def _of(asker: Asker) -> tuple[ColumnElement[bool], ...]:
    """SQL: requests of this person; in company only those made in the same chat."""
    mine = (Request.platform == asker.platform, Request.user_id == asker.user_id)
    return mine if asker.is_private else (*mine, Request.chat_id == asker.chat_id)


@asynccontextmanager
async def _refusing() -> AsyncIterator[None]:
    """Raises Refused where a person has fetched enough, or the database has no room."""
    try:
        with storing():
            yield
    except JobError as error:
        raise Refused(error.message) from error


class Desk:
    """Holds the ports; a call is a transaction or two. `on_ask` is called when there is something to show."""

    def __init__(self, database: Database, queue: Queue, intake: Intake, follower: Follower) -> None:
        self._database = database
        self._queue = queue
        self._intake = intake
        self._follower = follower
        self._finder = Finder(database, follower)
        self.on_ask: Callable[[], None] = lambda: None

    async def take(self, command: Get | Subs, asker: Asker, event_key: str) -> Submitted:
        """A link came. A plain one gets the chat's default, or is looked at first, to offer choices.

        Raises Refused when this person has fetched enough for now, or there is no room.
        """
        chat = await self.settings(asker)
        options = command.options
        if isinstance(command, Get) and not command.explicit:
            languages = tuple(chat.languages)
            options = options_of(chat.choice, languages) if chat.choice else Options(probe_only=True)
        return await self._submit(command.link, options, asker, event_key, chat)

    async def choose(self, request_id: UUID, word: str, asker: Asker) -> Submitted:
        """A choice was made for a link that was looked at; the first one counts. Raises Refused."""
        if word not in WORDS:
            raise Refused(OVER)
        async with _refusing(), self._database.write() as session:
            request, job = await self._mine(session, request_id, asker)
            if not job.options.get("probe_only") or job.state is not JobState.DONE:
                raise Refused(OVER)
            await deliveries.delivered(session, request.id, request.status_message)  # the question was seen
        chat = await self.settings(asker)
        options = options_of(word, tuple(chat.languages))
        return await self._again(request, job, options, chat, "choose")

    async def retry(self, request_id: UUID, asker: Asker) -> Submitted:
        """The same once more, in the same message. Raises Refused."""
        async with _refusing(), self._database.write() as session:
            request, job = await self._mine(session, request_id, asker)
            if job.state is not JobState.FAILED:
                raise Refused(OVER)
            await deliveries.delivered(session, request.id, request.status_message)  # the failure was seen
        options = Options.model_validate(job.options)
        return await self._again(request, job, options, await self.settings(asker), "retry")

    async def cancel(self, request_id: UUID, asker: Asker) -> None:
        """This request is no longer wanted. Raises Refused, also when it is over."""
        async with self._database.read() as session:
            _, job = await self._mine(session, request_id, asker)
        if not job.state.is_active:
            raise Refused(OVER)
        async with _refusing():
            await cancel(self._database, self._queue, job.id, request_id)
        self.on_ask()

    async def cancel_by_name(self, name: str | None, asker: Asker) -> Asked:
        """The one with this short id; without one, the only one that goes on here. Raises Refused."""
        if name is None:
            active = await self._going_on(asker)
            if len(active) != 1:
                raise Refused(WHICH if active else NOTHING_RUNS)
            asked = active[0]
        else:
            asked = await self.by_name(name, asker)
        await self.cancel(asked.request.id, asker)
        return asked

    async def recent(self, asker: Asker) -> list[Asked]:
        """The newest requests of this person that may be spoken of here, newest first."""
        mine = select(Request).where(*_of(asker))
        return await self._asked(mine.order_by(Request.id.desc()).limit(RECENT))

    async def by_name(self, name: str, asker: Asker) -> Asked:
        """The request of this person, or for an admin of this chat, whose id ends so. Raises NotAllowed."""
        wanted = name.replace("-", "")
        if not re.fullmatch(r"[0-9a-f]{4,32}", wanted):
            raise NotAllowed(NOT_FOUND)
        may_see = and_(*_of(asker))
        if asker.is_admin:
            here = and_(Request.platform == asker.platform, Request.chat_id == asker.chat_id)
            may_see = or_(may_see, here)
        mine = select(Request).where(may_see)
        async with self._database.read() as session:
            ids = await session.scalars(
                mine.with_only_columns(Request.id).order_by(Request.id.desc()).limit(1000)
            )
            found = next((each for each in ids if each.hex.endswith(wanted)), None)
        asked = await self._asked(select(Request).where(Request.id == found)) if found else []
        if not asked:
            raise NotAllowed(NOT_FOUND)
        return asked[0]

    async def by_message(self, message: str, asker: Asker) -> Asked | None:
        """The newest request that this message of ours shows; None when it shows none."""
        here = Request.platform == asker.platform, Request.chat_id == asker.chat_id
        shown = select(Request).where(*here, Request.status_message == message)
        asked = await self._asked(shown.order_by(Request.id.desc()).limit(1))
        return asked[0] if asked else None

    async def find(self, words: str, asker: Asker) -> Hits:
        """What was fetched here, and by this person, and may be spoken of here, that has all these words."""
        seeker = Seeker(asker.platform, asker.chat_id, asker.user_id, sees_own=asker.is_private)
        return await self._finder.find(words, seeker)

    async def settings(self, asker: Asker) -> ChatSettings:
        """What this chat wants; the defaults for one that never said."""
        async with self._database.read() as session:
            found = await session.get(ChatSettings, (asker.platform, asker.chat_id))
        empty = ChatSettings(
            platform=asker.platform, chat_id=asker.chat_id, choice=None, languages=[], as_link=False
        )
        return found or empty

    async def set(
        self,
        asker: Asker,
        *,
        choice: str | None,
        languages: Sequence[str],
        as_link: bool,
    ) -> ChatSettings:
        """What this chat wants from now on. Raises Refused when there is no room to note it."""
        values = {"choice": choice, "languages": list(languages), "as_link": as_link}
        async with _refusing(), self._database.write() as session:
            row = upsert(session, table(ChatSettings))
            row = row.values(platform=asker.platform, chat_id=asker.chat_id, **values)
            await session.execute(
                row.on_conflict_do_update(index_elements=["platform", "chat_id"], set_=values)
            )
        return await self.settings(asker)

    async def _again(
        self, request: Request, job: Job, options: Options, chat: ChatSettings, why: str
    ) -> Submitted:
        """A new request that takes over the message of an earlier one; a second press is the same request."""
        origin = Origin(
            request.platform,
            request.chat_id,
            request.user_id,
            f"{why}:{request.id}",
            request.thread_id,
            request.reply_to,
            request.status_message,
            chat.as_link,
        )
        return await self._hand_in(Link(job.link, job.site), options, origin)

    async def _submit(
        self, link: Link, options: Options, asker: Asker, event_key: str, chat: ChatSettings
    ) -> Submitted:
        origin = Origin(
            asker.platform, asker.chat_id, asker.user_id, event_key, asker.thread_id, asker.reply_to,
            as_link=chat.as_link,
        )  # fmt: skip
        return await self._hand_in(link, options, origin)

    async def _hand_in(self, link: Link, options: Options, origin: Origin) -> Submitted:
        async with _refusing():
            submitted = await self._intake.submit(link, options, origin)
        self.on_ask()
        return submitted

    async def _mine(self, session: AsyncSession, request_id: UUID, asker: Asker) -> tuple[Request, Job]:
        """The request and its job, when the asker may act on it. Raises NotAllowed."""
        request = await session.get(Request, request_id)
        if request is None or request.platform != asker.platform:
            raise NotAllowed(NOT_FOUND)
        if request.user_id != asker.user_id:
            if request.chat_id != asker.chat_id:  # it is nobody's business there that it exists
                raise NotAllowed(NOT_FOUND)
            if not asker.is_admin:
                raise NotAllowed(NOT_YOURS)
        job = await session.get_one(Job, request.job_id)
        return request, job

    async def _going_on(self, asker: Asker) -> list[Asked]:
        """What this person waits for in this chat."""
        active = select(Request).join(Request.job).where(Job.state.in_(ACTIVE))
        mine = Request.platform == asker.platform, Request.user_id == asker.user_id
        here = Request.chat_id == asker.chat_id, Request.cancelled.is_(False)
        return await self._asked(active.where(*mine, *here).limit(RECENT))

    async def _asked(self, query: Select[Request]) -> list[Asked]:
        async with self._database.read() as session:
            requests = list(await session.scalars(query))
        views = await self._follower.views([request.job_id for request in requests])
        return [Asked(request, views[request.job_id]) for request in requests if request.job_id in views]
