"""What only the owner can say, and how somebody becomes the owner."""

import logging

from telegram import Bot
from telegram.error import TelegramError

from bots.telegram import texts
from bots.telegram.access import ID, Access, Standing
from bots.telegram.menu import set_owners_menu
from bots.telegram.reading import Person, Said
from bots.telegram.replies import Replies
from shared.chat.telegram.render import Message
from shared.models import Role

log = logging.getLogger(__name__)

HERE = "here"
PATIENCE = 10.0  # seconds to wait for a name


class Owner:
    """Hears `/start CODE`, `/allow`, `/deny` and `/users`."""

    def __init__(self, bot: Bot, access: Access, replies: Replies) -> None:
        self._bot = bot
        self._access = access
        self._replies = replies

    async def hears(self, said: Said, standing: Standing) -> bool:
        """True when the message was for the owner's ears, and has been answered."""
        match said.command:
            case "start" if said.words:
                return await self._start(said)
            case "allow" | "deny" | "users" if standing is not Standing.OWNER:
                if standing.may_use:
                    self._tell(said, texts.plain(texts.NEEDS_OWNER))
                return standing.may_use  # strangers are refused as for anything else
            case "allow":
                await self._give(said, Role.ALLOWED)
            case "deny":
                await self._give(said, Role.DENIED)
            case "users":
                await self._users(said)
            case _:
                return False
        return True

    async def _start(self, said: Said) -> bool:
        """`/start CODE`, in private: elsewhere others could read the code. False when it is not the code."""
        if not said.speaker.is_private or not await self._access.pair(said.speaker, said.words[0]):
            return False
        log.info("the bot is owned by %s now; the pairing code is dead", said.speaker.user_id)
        self._tell(said, texts.plain(texts.NOW_OWNER))
        self._replies.begin("", lambda: set_owners_menu(self._bot, said.speaker.user_id))
        return True

    async def _give(self, said: Said, role: Role) -> None:
        whom = await self._whom(said)
        if whom is None:
            self._tell(said, texts.plain(texts.WHOM))
        elif await self._access.give(whom.user_id, role, whom.name):
            self._tell(said, texts.given(whom, role))
        else:
            self._tell(said, texts.plain(texts.OWNER_STAYS))

    async def _whom(self, said: Said) -> Person | None:
        """Whom the command means: an ID, this group, or whoever wrote what it answers."""
        speaker = said.speaker
        if not said.words:
            return said.replied
        word = said.words[0].lower()
        if len(said.words) > 1:
            return None
        if word == HERE:
            return None if speaker.is_private else Person(speaker.chat_id, speaker.chat_title)
        return Person(word, await self._name(word)) if ID.fullmatch(word) else None

    async def _name(self, subject: str) -> str:
        """The name that belongs to an ID, as far as Telegram tells it to this bot."""
        try:
            chat = await self._bot.get_chat(int(subject), read_timeout=PATIENCE)
        except TelegramError:
            return ""
        return (chat.effective_name or "")[:255]

    async def _users(self, said: Said) -> None:
        if not said.speaker.is_private:
            self._tell(said, texts.plain(texts.NEEDS_PRIVATE))
            return
        self._tell(said, texts.members(await self._access.everybody()))

    def _tell(self, said: Said, html: str) -> None:
        self._replies.say(said.speaker, Message(html))
