"""An update -> what a person did. Pure; everything that is nobody's wish is None."""

import re
from dataclasses import dataclass

from telegram import (
    CallbackQuery,
    ChatMember,
    ChatMemberUpdated,
    Message,
    MessageOriginUser,
    Update,
    User,
)

from bots.commands import COMMAND, USAGE
from bots.desk import Asker
from bots.scanner import scan
from bots.storable import storable
from bots.telegram.spelling import is_bot, mentions, spell, spelled_out
from shared.chat.telegram import PLATFORM

OWN_COMMANDS = ("start", "settings", "allow", "deny", "users")  # what only Telegram has
COMMANDS = frozenset((*USAGE, *OWN_COMMANDS))
WITH_LINK = ("get", "subs")


@dataclass(frozen=True)
class Speaker:
    """Who acts, and where. `user_id` is the group's own when an administrator speaks for it, and a channel's
    when somebody writes in its name (`is_channel`): nobody sees who that is."""

    chat_id: str
    user_id: str
    name: str
    is_private: bool
    chat_title: str = ""
    thread_id: str | None = None
    message_id: str | None = None
    is_channel: bool = False

    @property
    def speaks_for_chat(self) -> bool:
        """An anonymous administrator."""
        return not self.is_private and self.user_id == self.chat_id

    def asker(self, *, is_admin: bool = False) -> Asker:
        """The same for the desk."""
        return Asker(
            PLATFORM, self.chat_id, self.user_id, self.thread_id, self.message_id, is_admin, self.is_private
        )


@dataclass(frozen=True)
class Person:
    """Somebody that a message points to."""

    user_id: str
    name: str


@dataclass(frozen=True)
class Said:
    """A message for the bot; hidden links are written out in `text`, mentions of the bot are not in it.

    `replied_to` is the message that it answers, and `replied` who wrote that; `update_id` makes the event.
    """

    speaker: Speaker
    text: str
    update_id: int
    replied: Person | None = None
    replied_to: str | None = None

    def event_key(self, number: int) -> str:
        """One event per wish: a message with several links holds several."""
        return f"{PLATFORM}:{self.update_id}:{number}"

    @property
    def command(self) -> str | None:
        """The name of the command it begins with."""
        match = COMMAND.match(self.text)
        return match["name"].lower() if match else None

    @property
    def words(self) -> list[str]:
        """What stands behind the command."""
        match = COMMAND.match(self.text)
        return self.text[match.end() if match else 0 :].split()


@dataclass(frozen=True)
class Pressed:
    """A button under one of the bot's messages, `message_id`."""

    speaker: Speaker
    callback_id: str
    data: str

    @property
    def message_id(self) -> str | None:
        """The message that has the button."""
        return self.speaker.message_id


@dataclass(frozen=True)
class Left:
    """The bot was blocked by a person, or thrown out of a group."""

    chat_id: str
    is_private: bool


@dataclass(frozen=True)
class Moved:
    """A group became a supergroup, with another id."""

    old_chat_id: str
    new_chat_id: str


Incoming = Said | Pressed | Left | Moved


def read(update: Update, bot_username: str) -> Incoming | None:
    """What an update means. Edits, channel posts, service messages and other people's talk mean nothing."""
    if update.callback_query is not None:
        return _pressed(update.callback_query)
    if update.my_chat_member is not None:
        return _left(update.my_chat_member)
    message = update.message
    if message is None or message.chat.type == "channel":
        return None
    if message.migrate_to_chat_id:
        return Moved(str(message.chat.id), str(message.migrate_to_chat_id))
    if message.migrate_from_chat_id:
        return Moved(str(message.migrate_from_chat_id), str(message.chat.id))
    return _said(message, update.update_id, bot_username.lower())


def _pressed(query: CallbackQuery) -> Pressed:
    message = query.message
    chat = message.chat if message is not None else None
    in_topic = isinstance(message, Message) and message.is_topic_message
    speaker = Speaker(
        chat_id=str(chat.id) if chat else "",
        user_id=str(query.from_user.id),
        name=_name(query.from_user),
        is_private=chat is None or chat.type == "private",
        chat_title=storable(chat.title or "") if chat else "",
        thread_id=str(message.message_thread_id) if isinstance(message, Message) and in_topic else None,
        message_id=str(message.message_id) if message is not None else None,
    )
    return Pressed(speaker, query.id, storable(query.data or ""))


def _left(change: ChatMemberUpdated) -> Left | None:
    is_gone = change.new_chat_member.status in (ChatMember.BANNED, ChatMember.LEFT)
    return Left(str(change.chat.id), change.chat.type == "private") if is_gone else None


def _said(message: Message, update_id: int, bot: str) -> Said | None:
    speaker = _speaker(message)
    if speaker is None or not _has_content(message):
        return None
    text = spelled_out(message, bot)
    command = COMMAND.match(text)
    if command and command["bot"] and command["bot"].lower() != bot:
        return None
    if not speaker.is_private and not _is_addressed(message, text, command, bot):
        return None
    is_bare_mention = command is None and mentions(message, bot)
    if is_bare_mention or (command and command["name"].lower() in WITH_LINK):
        text = _with_links_of_reply(text, message, bot)
    replied_to = str(message.reply_to_message.message_id) if message.reply_to_message else None
    return Said(speaker, text, update_id, _replied(message), replied_to)


def _speaker(message: Message) -> Speaker | None:
    """None for other bots, and for what a channel posts into its group by itself."""
    user, chat, voice = message.from_user, message.chat, message.sender_chat
    if message.is_automatic_forward or (voice is None and (user is None or user.is_bot)):
        return None
    who, name = (voice.id, voice.title or "") if voice else (user.id, _name(user)) if user else (0, "")
    return Speaker(
        chat_id=str(chat.id),
        user_id=str(who),
        name=storable(name),
        is_private=chat.type == "private",
        chat_title=storable(chat.title or ""),
        thread_id=str(message.message_thread_id) if message.is_topic_message else None,
        message_id=str(message.message_id),
        is_channel=voice is not None and voice.id != chat.id,
    )


def _has_content(message: Message) -> bool:
    """Something a person has written or sent, not something that happened."""
    if message.text is not None or message.caption is not None:
        return True
    if message.media_group_id is not None:  # the caption of an album stands under one of its pictures
        return False
    return bool(message.effective_attachment) and not message.successful_payment and not message.invoice


def _is_addressed(message: Message, text: str, command: re.Match[str] | None, bot: str) -> bool:
    """Whether a message in a group is for the bot: it may see more than that, as an administrator does."""
    if mentions(message, bot):
        return True
    if command:
        return bool(command["bot"]) or command["name"].lower() in COMMANDS
    replied = message.reply_to_message
    is_reply = replied is not None and is_bot(replied.from_user, bot)
    return is_reply and bool(scan(text).links)


def _with_links_of_reply(text: str, message: Message, bot: str) -> str:
    """A message without a link of its own that answers one means the links there: the quoted ones, if any.

    Of a message in another chat Telegram tells what is quoted, and the link that is previewed.
    """
    if scan(text).links:
        return text
    quote, replied, elsewhere = message.quote, message.reply_to_message, message.external_reply
    texts = [spell(quote.text, quote.entities or (), bot)] if quote else []
    texts += [spelled_out(replied, bot)] if replied else []
    if elsewhere is not None and elsewhere.link_preview_options is not None:
        texts.append(str(elsewhere.link_preview_options.url or ""))
    links = next((found for one in texts if (found := scan(one).links)), ())
    return " ".join((text, *links))


def _replied(message: Message) -> Person | None:
    """The person behind the message that is answered: who wrote it first, when it was forwarded."""
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created:
        return None
    contact = replied.contact
    if contact is not None and contact.user_id:
        return Person(
            str(contact.user_id), storable(f"{contact.first_name} {contact.last_name or ''}".strip())
        )
    origin, voice = replied.forward_origin, replied.sender_chat
    if origin is None and voice is not None:  # a channel, or an administrator who speaks for the group
        return Person(str(voice.id), storable(voice.title or ""))
    if origin is not None and not isinstance(origin, MessageOriginUser):
        return None
    user = origin.sender_user if origin is not None else replied.from_user
    return Person(str(user.id), _name(user)) if user is not None and not user.is_bot else None


def _name(user: User) -> str:
    return storable(user.full_name)[:255]
