"""Sentences to people, in the background: nothing of Slack's waits for them, and a lost one is a sentence."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp
from slack_sdk.errors import SlackApiError

from bots.slack.reading import Speaker, Way
from shared.chat.paced import PacedClient
from shared.chat.port import MessageGone, Throttled
from shared.chat.slack.blocks import Message
from shared.chat.slack.client import SlackClient
from shared.chat.slack.errors import NotInvited

T = TypeVar("T")
Call = Callable[[], Awaitable[object]]

log = logging.getLogger(__name__)

MOST_PER_PERSON = (
    5  # sentences that may wait for one person: whoever floods the app is not answered each time
)
MOST = 500  # calls altogether
RESPOND_PAUSES = (0.5, 3.0)  # seconds after an answer that Slack did not take, before the next try
PATIENCE = 60.0  # seconds one call may take, its turn included


class Replies:
    """Says things to the person who spoke, to nobody else. `settle` waits for what was begun."""

    def __init__(self, client: SlackClient, paced: PacedClient) -> None:
        self._client = client
        self._paced = paced
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: Counter[str] = Counter()

    def tell(self, speaker: Speaker, told: Message) -> None:
        """Where the person spoke."""
        self.begin(speaker, lambda: self.say(speaker, told))

    async def say(self, speaker: Speaker, told: Message) -> None:
        """The same, at once. Raises what `SlackClient.say` does."""
        if speaker.answer_url is not None and await self._respond(speaker.answer_url, told):
            return
        if speaker.way in (Way.DIRECT, Way.HOME, Way.FORM):  # nobody else is there
            where = speaker.chat_id if speaker.way is Way.DIRECT else speaker.user_id
            await self.in_turn(where, lambda: self._client.say(where, told, speaker.thread))
            return
        where, who = speaker.chat_id, speaker.user
        try:
            await self.in_turn(where, lambda: self._client.whisper(where, who, told, speaker.thread))
        except NotInvited:
            await self.in_turn(speaker.user_id, lambda: self._client.say(speaker.user_id, told))

    def begin(self, speaker: Speaker, call: Call) -> None:
        """Something that this person waits for."""
        who = speaker.user_id
        if len(self._tasks) >= MOST or self._waiting[who] >= MOST_PER_PERSON:
            log.info("too many sentences wait, so one is left out")
            return
        self._waiting[who] += 1
        task = asyncio.create_task(self._make(who, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self, patience: float) -> None:
        """Let what was begun end, for so many seconds; then give up on it."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def in_turn(self, chat: str, call: Callable[[], Awaitable[T]]) -> T:
        """A call to this chat; once more when the workspace wanted rest, for which its next turn waits."""
        try:
            async with self._paced.turn(chat, PATIENCE / 2):
                return await call()
        except Throttled:
            async with self._paced.turn(chat, PATIENCE):
                return await call()

    async def _respond(self, url: str, told: Message) -> bool:
        """Answer where a command was given, and insist a little; False when the address is used up."""
        for pause in RESPOND_PAUSES:
            try:
                await self._client.respond(url, told)
                return True
            except MessageGone:
                log.info("an address for answers is used up")
                return False
            except (aiohttp.ClientError, OSError) as error:
                log.info("Slack did not take an answer: %s", type(error).__name__)
            await asyncio.sleep(pause)
        await self._client.respond(url, told)
        return True

    async def _make(self, who: str, call: Call) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await call()
        except (Throttled, MessageGone, SlackApiError, aiohttp.ClientError, OSError) as error:
            log.info("a sentence was not said: %s", type(error).__name__)
        except Exception:
            log.exception("a sentence could not be said")
        finally:
            self._waiting[who] -= 1
            if not self._waiting[who]:
                del self._waiting[who]
