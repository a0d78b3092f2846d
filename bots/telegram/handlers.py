"""What happens when somebody writes or presses: access first, then the desk. Status messages are not here."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from telegram import Bot, Update

from bots.commands import Cancel, Command, Find, Get, Help, Status, Subs, parse
from bots.desk import NOTHING_YET, UNKNOWN_BUTTON, Asker, Desk, NotAllowed, NotStored, Refused
from bots.telegram import preferences, texts
from bots.telegram.access import Access, Standing
from bots.telegram.admins import Admins
from bots.telegram.owner import Owner
from bots.telegram.reading import Left, Moved, Pressed, Said, Speaker, read
from bots.telegram.replies import Replies
from shared import deliveries
from shared.chat.telegram import PLATFORM
from shared.chat.telegram.render import Message
from shared.database import Database
from shared.errors import CommandError, JobError
from shared.models import Delivery, Request
from shared.recent import Recent

log = logging.getLogger(__name__)

T = TypeVar("T")

PATIENCE = 30.0  # seconds one update may take
REFUSAL_PAUSE = 60.0  # seconds between two refusals in one chat
REMEMBERED = 1000  # chats that were refused of late


class TelegramBot:
    """One bot's conversations. `handle` raises NotStored and nothing else."""

    def __init__(self, bot: Bot, desk: Desk, access: Access, replies: Replies, database: Database) -> None:
        self.bot = bot
        self.access = access
        self._desk = desk
        self._replies = replies
        self._database = database
        self._admins = Admins(bot)
        self._owner = Owner(bot, access, replies)
        self._refused: Recent[str, float] = Recent(REMEMBERED)  # chats, and when they were told so

    async def handle(self, update: Update) -> None:
        """Do what the update asks for; once this returns, it need not come again."""
        try:
            async with asyncio.timeout(PATIENCE):
                await self._handle(update)
        except (SQLAlchemyError, OSError) as error:  # OSError: also what takes too long
            raise NotStored(f"update {update.update_id}: {type(error).__name__}: {error}") from error
        except Exception:
            log.exception("update %s could not be handled and is left out", update.update_id)
            self.give_up(update)

    def give_up(self, update: Update) -> None:
        """The update is left out: say so to whoever waits for an answer."""
        try:
            incoming = read(update, self.bot.username)
        except Exception:
            log.info("update %s: nobody can be told", update.update_id)
            return
        match incoming:
            case Said(speaker):
                self._say(speaker, texts.LEFT_OUT)
            case Pressed():
                self._replies.answer(incoming, texts.LEFT_OUT)

    async def _handle(self, update: Update) -> None:
        match read(update, self.bot.username):
            case Said() as said:
                await self._said(said)
            case Pressed() as pressed:
                await self._pressed(pressed)
            case Moved(old, new):
                async with self._database.write() as session:
                    await deliveries.move(session, PLATFORM, old, new)
            case Left(chat_id, is_private):
                log.info("chat %s: the bot was blocked or removed", chat_id)
                if is_private:  # a group may have been left by mistake, and others wait there
                    await self._leave(chat_id)

    async def _leave(self, chat_id: str) -> None:
        """Nobody reads here any more: what goes on for this chat is not wanted."""
        here = select(Request).where(Request.platform == PLATFORM, Request.chat_id == chat_id)
        unfinished = here.where(Request.delivery == Delivery.PENDING, Request.cancelled.is_(False))
        async with self._database.read() as session:
            requests = list(await session.scalars(unfinished))
        for request in requests:
            with suppress(Refused):  # it has ended meanwhile
                await self._desk.cancel(request.id, Asker(PLATFORM, chat_id, request.user_id))

    async def _said(self, said: Said) -> None:
        standing = await self.access.standing(said.speaker)
        if await self._owner.hears(said, standing):
            return
        if not standing.may_use:
            self._refuse(said.speaker, standing)
            return
        try:
            if said.command == "settings":
                await self._settings(said, standing)
                return
            commands = (Help(),) if said.command == "start" else parse(said.text)
        except (CommandError, Refused) as error:
            self._say(said.speaker, str(error))
        except JobError as error:
            self._say(said.speaker, error.message)
        else:
            for number, command in enumerate(commands):
                await self._do(command, said, number, standing)

    async def _do(self, command: Command, said: Said, number: int, standing: Standing) -> None:
        speaker = said.speaker
        try:
            match command:
                case Get() | Subs():
                    await self._desk.take(command, speaker.asker(), said.event_key(number))
                case Status(name):
                    self._tell(speaker, await self._status(name, said, standing))
                case Cancel(name):
                    await self._cancel(name, said, standing)
                case Find(words):
                    self._tell(speaker, texts.found(await self._desk.find(words, speaker.asker())))
                case Help():
                    is_hello = said.command == "start"
                    self._tell(speaker, texts.plain(texts.WELCOME) if is_hello else texts.usage(standing))
        except Refused as refused:
            self._say(speaker, str(refused))

    async def _status(self, name: str | None, said: Said, standing: Standing) -> str:
        asker = said.speaker.asker()
        if name is not None:
            by_name = partial(self._desk.by_name, name)
            return texts.told(await self._acting(said.speaker, standing, by_name))
        if said.replied_to and (asked := await self._desk.by_message(said.replied_to, asker)):
            return texts.told(asked)  # everybody here sees that message anyway
        return texts.listed(await self._desk.recent(asker)) or texts.plain(NOTHING_YET)

    async def _cancel(self, name: str | None, said: Said, standing: Standing) -> None:
        """Its status message says so: nothing else is answered."""
        act: Callable[[Asker], Awaitable[object]] = partial(self._desk.cancel_by_name, name)
        if name is None and said.replied_to:
            asked = await self._desk.by_message(said.replied_to, said.speaker.asker())
            if asked is not None:
                act = partial(self._desk.cancel, asked.request.id)
        await self._acting(said.speaker, standing, act)

    async def _settings(self, said: Said, standing: Standing) -> None:
        speaker = said.speaker
        wish = preferences.Wish.of(await self._desk.settings(speaker.asker()))
        if said.words:
            wish = preferences.written(wish, said.words)
            await self._set(speaker, standing, wish)
        self._replies.say(speaker, preferences.page(wish))

    async def _set(self, speaker: Speaker, standing: Standing, wish: preferences.Wish) -> None:
        if not speaker.is_private and not await self._admins.is_admin(speaker, standing):
            raise Refused(texts.NEEDS_ADMIN)
        await self._desk.set(
            speaker.asker(), choice=wish.choice, languages=wish.languages, as_link=wish.as_link
        )

    async def _pressed(self, pressed: Pressed) -> None:
        """The answer says what came of it, so it comes second; a database that is away delays no answer."""
        try:
            standing = await self.access.standing(pressed.speaker)
            if standing.may_use:
                answer = await self._press(pressed, standing)
            else:
                answer = texts.without_tags(texts.refusal(standing, pressed.speaker))
        except Refused as refused:
            answer = str(refused)
        except (SQLAlchemyError, OSError):
            self._replies.answer(pressed, texts.BUSY)
            raise
        self._replies.answer(pressed, answer)

    async def _press(self, pressed: Pressed, standing: Standing) -> str:
        """Do what the button says; returns what to answer. Raises Refused."""
        verb, _, rest = pressed.data.partition(":")
        speaker = pressed.speaker
        if verb == preferences.VERB:
            wish = preferences.Wish.of(await self._desk.settings(speaker.asker()))
            wish = preferences.pressed(wish, pressed.data)
            await self._set(speaker, standing, wish)
            self._replies.restate(speaker, preferences.page(wish))
            return "Done."
        name, _, word = rest.partition(":")
        try:
            request_id = UUID(hex=name)
        except ValueError:
            return UNKNOWN_BUTTON
        match verb:
            case "cancel":
                await self._acting(speaker, standing, lambda asker: self._desk.cancel(request_id, asker))
                return "Stopping."
            case "retry":
                await self._acting(speaker, standing, lambda asker: self._desk.retry(request_id, asker))
                return "Trying again."
            case "choose":
                await self._acting(
                    speaker, standing, lambda asker: self._desk.choose(request_id, word, asker)
                )
                return "On it."
        return UNKNOWN_BUTTON

    async def _acting(self, speaker: Speaker, standing: Standing, act: Callable[[Asker], Awaitable[T]]) -> T:
        """As this person; as an administrator where the person alone may not."""
        try:
            return await act(speaker.asker())
        except NotAllowed:
            if speaker.is_private or not await self._admins.is_admin(speaker, standing):
                raise
        return await act(speaker.asker(is_admin=True))

    def _refuse(self, speaker: Speaker, standing: Standing) -> None:
        """One polite sentence, and then silence for a while."""
        now = time.monotonic()
        if now - self._refused.get(speaker.chat_id, -REFUSAL_PAUSE) < REFUSAL_PAUSE:
            return
        self._refused[speaker.chat_id] = now
        self._tell(speaker, texts.refusal(standing, speaker))

    def _say(self, speaker: Speaker, sentence: str) -> None:
        self._tell(speaker, texts.plain(sentence))

    def _tell(self, speaker: Speaker, html: str) -> None:
        self._replies.say(speaker, Message(html))
