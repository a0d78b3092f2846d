"""Who may act for others in a group: its administrators, and the bot's owner."""

import logging
import time

from telegram import Bot
from telegram.error import TelegramError

from bots.telegram.access import Standing
from bots.telegram.reading import Speaker
from shared.recent import Recent

log = logging.getLogger(__name__)

KNOWN_FOR = 60.0  # seconds that an answer counts
REMEMBERED = 1000  # groups
PATIENCE = 10.0  # seconds to wait for an answer


class Admins:
    """Asks Telegram, and remembers the answer for a while.

    It asks for all of a group: of single members it is told for certain only where it is one itself.
    """

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._known: Recent[str, tuple[float, frozenset[str]]] = Recent(REMEMBERED)

    async def is_admin(self, speaker: Speaker, standing: Standing) -> bool:
        """Whether this person may act for others here; no, when Telegram does not say."""
        if standing is Standing.OWNER or speaker.speaks_for_chat:
            return True
        if speaker.is_private:
            return False
        return speaker.user_id in await self._of(speaker.chat_id)

    async def _of(self, chat_id: str) -> frozenset[str]:
        asked_at, known = self._known.get(chat_id, (-KNOWN_FOR, frozenset()))
        now = time.monotonic()
        if now - asked_at < KNOWN_FOR:
            return known
        try:
            members = await self._bot.get_chat_administrators(chat_id, read_timeout=PATIENCE)
        except TelegramError as error:
            log.info("chat %s: nobody says who its administrators are: %s", chat_id, error)
            return frozenset()
        self._known[chat_id] = now, frozenset(str(member.user.id) for member in members)
        return self._known[chat_id][1]
