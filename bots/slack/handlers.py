"""What happens when somebody writes or presses: the desk does it. Status messages are not here.

Whatever raises is not acknowledged. What a person is told comes back, or is said in the background.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
from slack_sdk.errors import SlackApiError
from sqlalchemy.exc import SQLAlchemyError

from bots.commands import Cancel, Command, Find, Get, Help, Status, Subs, parse
from bots.desk import NOT_YOURS, UNKNOWN_BUTTON, Asked, Asker, Desk, NotAllowed, NotStored, Refused
from bots.slack import texts, views
from bots.slack.admins import Admins
from bots.slack.deeds import Called, HomeOpened, Left, Pressed, Said, Speaker, Way
from bots.slack.replies import Replies
from shared import tracing
from shared.chat.port import MessageGone
from shared.chat.slack.blocks import Message
from shared.chat.slack.errors import code_of
from shared.chat.slack.web import Clients
from shared.errors import CommandError, JobError

log = logging.getLogger(__name__)

T = TypeVar("T")

Forget = Callable[[str, datetime], Awaitable[None]]
"""Drops the tokens of a workspace, installed until then."""

PATIENCE = 10.0  # seconds one payload may take; Slack gives up, or repeats it, after three
OPENING = 2.0  # seconds to open a modal: Slack allows three after the press


async def keep(team: str, at: datetime) -> None:
    """The one workspace that the app has a token for is a setting: there is nothing to forget."""


class SlackBot:
    """The app's conversations. Raises NotStored when the database is away.

    `forget` drops the tokens of a workspace that the app has left.
    """

    def __init__(
        self,
        desk: Desk,
        clients: Clients,
        replies: Replies,
        commands: tuple[str, ...],
        forget: Forget,
    ) -> None:
        self.desk = desk
        self.replies = replies
        self._clients = clients
        self._admins = Admins(clients)
        self._commands = commands
        self._forget = forget

    async def said(self, said: Said) -> Message | None:
        """Do what somebody says; returns what to answer, if anything."""
        return await self.stored(said.speaker, self._said(said))

    async def pressed(self, pressed: Pressed) -> None:
        """A button. Only who pressed it is told why not."""
        try:
            await self.stored(pressed.speaker, self._press(pressed))
        except Refused as refused:
            not_theirs = pressed.speaker.is_guest and isinstance(refused, NotAllowed)
            told = texts.sentence(texts.GUEST) if not_theirs else texts.refusal(refused)
            self.replies.tell(pressed.speaker, told)

    async def left(self, left: Left) -> None:
        """The app was taken out of a workspace: nothing is posted there any more."""
        log.warning("the app was taken out of workspace %s", left.team)
        await self.stored(None, self._forget(left.team, left.at))

    async def called(self, called: Called) -> None:
        """The shortcut that asks for a link."""
        await self.open(called.speaker, called.trigger, views.fetch_form())

    async def opened_home(self, opened: HomeOpened) -> None:
        """The Home tab is brought up to date, in the background."""
        self.replies.begin(opened.speaker.user_id, lambda: self._show_home(opened.speaker))

    async def open(self, speaker: Speaker, trigger: str, view: dict[str, Any]) -> None:
        """Open a modal while the press still counts."""
        try:
            async with asyncio.timeout(OPENING):
                web = await self._clients(speaker.team)
                await web.views_open(trigger_id=trigger, view=view)
        except SlackApiError as error:
            log.warning("Slack does not open a form: %s", code_of(error))
            self.replies.tell(speaker, texts.sentence(texts.TOO_LATE))
        except (aiohttp.ClientError, OSError, MessageGone) as error:
            log.warning("a form cannot be opened: %s", type(error).__name__)
            self.replies.tell(speaker, texts.sentence(texts.TOO_LATE))

    async def take(self, commands: tuple[Command, ...], said: Said) -> Message | None:
        """Do what was asked for; an answer that comes of it."""
        answer = None
        for number, command in enumerate(commands):
            answer = await self._do(command, said, number)
        return answer

    async def acting(self, speaker: Speaker, act: Callable[[Asker], Awaitable[T]]) -> T:
        """As this person; as an admin where the person alone may not."""
        try:
            return await act(speaker.asker())
        except NotAllowed:
            if not await self._admins.is_admin(speaker):
                raise
        return await act(speaker.asker(is_admin=True))

    async def mine(self, request_id: UUID, speaker: Speaker) -> Asked:
        """A request that this person may share. Raises NotAllowed."""
        try:
            return await self.acting(speaker, partial(self.desk.by_name, request_id.hex))
        except NotAllowed as refused:
            raise NotAllowed(NOT_YOURS) from refused

    async def _said(self, said: Said) -> Message | None:
        try:
            return await self.take(parse(said.text), said)
        except (CommandError, JobError, Refused) as error:
            return texts.refusal(error)

    async def _do(self, command: Command, said: Said, number: int) -> Message | None:
        asker = said.speaker.asker()
        match command:
            case Get() | Subs():
                await self.desk.take(command, asker, said.event_key(number))
            case Status(name):
                return await self._status(name, said.speaker)
            case Cancel(name):
                await self._cancel(name, said.speaker)
            case Find(words):
                return texts.found(await self.desk.find(words, asker))
            case Help():
                return texts.usage(self._commands)
        return None

    async def _status(self, name: str | None, speaker: Speaker) -> Message:
        if name is not None:
            return texts.told(await self.acting(speaker, partial(self.desk.by_name, name)))
        if asked := await self._of_thread(speaker):
            return texts.told(asked)  # everybody there sees that message anyway
        return texts.listed(await self.desk.recent(speaker.asker()))

    async def _cancel(self, name: str | None, speaker: Speaker) -> None:
        """Its status message says so: nothing else is answered."""
        act: Callable[[Asker], Awaitable[object]] = partial(self.desk.cancel_by_name, name)
        if name is None and (asked := await self._of_thread(speaker)):
            act = partial(self.desk.cancel, asked.request.id)
        await self.acting(speaker, act)

    async def _of_thread(self, speaker: Speaker) -> Asked | None:
        """The request whose status message began the thread that somebody speaks in."""
        return await self.desk.by_message(speaker.thread, speaker.asker()) if speaker.thread else None

    async def _press(self, pressed: Pressed) -> None:
        """Do what the button says. Raises Refused."""
        verb, _, rest = pressed.action_id.partition(":")
        name, _, word = rest.partition(":")
        if verb == "open":  # it has opened its address: there is nothing to do
            return
        try:
            request_id = UUID(hex=name)
        except ValueError:
            raise Refused(UNKNOWN_BUTTON) from None
        speaker = pressed.speaker
        match verb:
            case "cancel":
                await self.acting(speaker, partial(self.desk.cancel, request_id))
            case "retry":
                await self.acting(speaker, partial(self.desk.retry, request_id))
            case "choose":
                await self.acting(speaker, lambda asker: self.desk.choose(request_id, word, asker))
            case "share":
                asked = await self.mine(request_id, speaker)
                await self.open(speaker, pressed.trigger, views.share_form(asked.request))
            case _:
                raise Refused(UNKNOWN_BUTTON)
        if speaker.way is Way.HOME:
            self.replies.begin(speaker.user_id, lambda: self._show_home(speaker))

    async def _show_home(self, speaker: Speaker) -> None:
        web = await self._clients(speaker.team)
        view = views.home(await self.desk.recent(speaker.asker()))
        await web.views_publish(user_id=speaker.user, view=view)

    async def stored(self, speaker: Speaker | None, work: Awaitable[T]) -> T:
        """What must be in the database before Slack is answered. Raises NotStored."""
        try:
            async with asyncio.timeout(PATIENCE):
                with tracing.span("slack event", kind="server"):
                    return await work
        except (SQLAlchemyError, OSError) as error:  # OSError: also what takes too long
            if speaker is not None and speaker.answer_url is not None:
                self.replies.tell(speaker, texts.sentence(texts.BUSY))
            why = getattr(error, "orig", None) or type(error).__name__  # its words hold what was to be stored
            raise NotStored(f"{type(error).__name__}: {why}") from error
