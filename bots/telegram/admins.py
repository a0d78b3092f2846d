"""Who may act for others in a group: its administrators, and the bot's owner."""

import logging
import time
from collections import OrderedDict

from telegram import Bot, ChatMember
from telegram.error import TelegramError

from bots.telegram.access import Standing
from bots.telegram.reading import Speaker

log = logging.getLogger(__name__)

KNOWN_FOR = 60.0  # seconds that an answer counts
REMEMBERED = 1000  # answers
PATIENCE = 10.0  # seconds to wait for one
RANKS = (ChatMember.OWNER, ChatMember.ADMINISTRATOR)


class Admins:
    """Asks Telegram, and remembers the answer for a while."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot
        self._known: OrderedDict[tuple[str, str], tuple[float, bool]] = OrderedDict()

    async def is_admin(self, speaker: Speaker, standing: Standing) -> bool:
        """Whether this person may act for others here; no, when Telegram does not say."""
        if standing is Standing.OWNER or speaker.speaks_for_chat:
            return True
        if speaker.is_private:
            return False
        key, now = (speaker.chat_id, speaker.user_id), time.monotonic()
        asked_at, answer = self._known.get(key, (-KNOWN_FOR, False))
        if now - asked_at < KNOWN_FOR:
            return answer
        try:
            member = await self._bot.get_chat_member(
                speaker.chat_id, int(speaker.user_id), read_timeout=PATIENCE
            )
        except (TelegramError, ValueError) as error:
            log.info("chat %s: nobody says who its administrators are: %s", speaker.chat_id, error)
            return False
        self._known[key] = now, member.status in RANKS
        self._known.move_to_end(key)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return self._known[key][1]
