"""Sentences to people, in the background: no update waits for them, and a lost one is only a sentence."""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from telegram.error import TelegramError

from bots.telegram.reading import Pressed, Speaker
from shared.chat.paced import PacedClient
from shared.chat.port import ChatMoved, MessageGone, Throttled
from shared.chat.telegram.client import TelegramClient
from shared.chat.telegram.render import Message

Call = Callable[[], Awaitable[object]]

log = logging.getLogger(__name__)

MOST_PER_CHAT = 5  # sentences that may wait in one chat: whoever floods the bot is not answered each time
MOST = 500  # calls altogether
PATIENCE = 60.0  # seconds one call may take, its turn included: in a busy group that is as long as it gets


class Replies:
    """Says things at the chat's pace. `settle` waits for what was begun."""

    def __init__(self, client: TelegramClient, paced: PacedClient) -> None:
        self._client = client
        self._paced = paced
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: Counter[str] = Counter()

    def say(self, speaker: Speaker, message: Message) -> None:
        """A new message where the person spoke; in groups it answers what was said."""
        reply_to = None if speaker.is_private else speaker.message_id
        where, text, buttons = speaker.chat_id, message.text_html, message.buttons
        self._begin(
            where,
            lambda: self._client.say(
                where, text, thread_id=speaker.thread_id, reply_to=reply_to, buttons=buttons
            ),
        )

    def restate(self, speaker: Speaker, message: Message) -> None:
        """Another text and other buttons in the message whose button was pressed."""
        where, which = speaker.chat_id, speaker.message_id or ""
        self._begin(where, lambda: self._client.restate(where, which, message.text_html, message.buttons))

    def answer(self, pressed: Pressed, sentence: str = "") -> None:
        """What a small window says to whoever pressed; it also ends the button's waiting."""
        self.begin(lambda: self._client.answer(pressed.callback_id, sentence))

    def begin(self, call: Call) -> None:
        """A call that belongs to no chat, and waits for nobody's turn."""
        self._begin("", call)

    async def settle(self, patience: float) -> None:
        """Let what was begun end, for so many seconds; then give up on it."""
        tasks = set(self._tasks)
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, chat: str, call: Call) -> None:
        if len(self._tasks) >= MOST or (chat and self._waiting[chat] >= MOST_PER_CHAT):
            log.info("chat %s: too many sentences wait, so one is left out", chat)
            return
        self._waiting[chat] += 1
        task = asyncio.create_task(self._make(chat, call))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _in_turn(self, chat: str, call: Call) -> None:
        """The call; once more when the chat wanted rest, for which its next turn waits."""
        if not chat:
            await call()
            return
        with suppress(Throttled):
            async with self._paced.turn(chat, PATIENCE):
                await call()
                return
        async with self._paced.turn(chat, PATIENCE):
            await call()

    async def _make(self, chat: str, call: Call) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await self._in_turn(chat, call)
        except (Throttled, MessageGone, ChatMoved, TimeoutError, TelegramError) as error:
            log.info("chat %s: a sentence was not said: %s", chat or "?", type(error).__name__)
        except Exception:
            log.exception("a sentence could not be said")
        finally:
            self._waiting[chat] -= 1
            if not self._waiting[chat]:
                del self._waiting[chat]
