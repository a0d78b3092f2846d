"""The chats as Telegram keeps them: who is in them, what was said, what may be done there."""

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.telegram.refusal import Refused, bad_request, forbidden

Body = dict[str, Any]

KIND_NAMES = {"group": "group chat", "supergroup": "supergroup chat", "channel": "channel chat"}


@dataclass(frozen=True)
class User:
    """Somebody with an account."""

    id: int
    first_name: str
    username: str = ""
    is_bot: bool = False
    language_code: str = "en"

    def described(self) -> Body:
        """The User object."""
        found: Body = {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name}
        if self.username:
            found["username"] = self.username
        return found if self.is_bot else {**found, "language_code": self.language_code}


@dataclass
class Room:
    """One chat. Message ids count per supergroup; private chats and basic groups share one count."""

    id: int
    kind: str
    title: str
    ids: Iterator[int]
    changed: Callable[[], None]
    members: dict[int, str] = field(default_factory=dict)  # user id: creator, administrator, member, left
    is_forum: bool = False
    bot_status: str = "member"
    blocked: bool = False  # a private chat whose person blocked the bot
    deactivated: bool = False  # or deleted the account
    may_write: bool = True
    migrated_to: int | None = None
    topics: dict[int, Body] = field(default_factory=dict)  # the message that opened it
    closed_topics: set[int] = field(default_factory=set)
    meant_for_bot: set[int] = field(default_factory=set)  # messages whose replies the bot hears, too
    messages: dict[int, Body] = field(default_factory=dict)
    versions: list[Body] = field(default_factory=list)  # every state of every message, oldest first
    actions: list[Body] = field(default_factory=list)  # sendChatAction

    def described(self) -> Body:
        """The Chat object."""
        if self.kind == "private":
            return {"id": self.id, "first_name": self.title, "type": "private"}
        found: Body = {"id": self.id, "title": self.title, "type": self.kind}
        return found | ({"is_forum": True} if self.is_forum else {})

    def put(self, body: Body) -> Body:
        """A message as it is now: a new one, or a new state of an old one."""
        self.messages[body["message_id"]] = body
        self.versions.append(body)
        self.changed()
        return body

    def remove(self, message_id: int) -> None:
        """The message is gone for everybody."""
        del self.messages[message_id]
        self.changed()

    def check_access(self) -> None:
        """Refuse what a bot asks for in a chat it is not in."""
        if self.migrated_to is not None:
            raise Refused(
                400,
                "Bad Request: group chat was upgraded to a supergroup chat",
                migrate_to_chat_id=self.migrated_to,
            )
        if self.deactivated:
            raise forbidden("user is deactivated")
        if self.blocked:
            raise forbidden("bot was blocked by the user")
        if self.bot_status == "kicked":
            raise forbidden(f"bot was kicked from the {KIND_NAMES[self.kind]}")
        if self.bot_status == "left":
            raise forbidden(f"bot is not a member of the {KIND_NAMES[self.kind]}")

    def check_topic(self, thread: int | None) -> None:
        """Refuse a topic that is not here, or is closed; administrators write in closed ones."""
        if thread is not None and thread not in self.topics:
            raise bad_request("message thread not found")
        if thread in self.closed_topics and self.bot_status != "administrator":
            raise bad_request("TOPIC_CLOSED")

    def check_writing(self, what: str) -> None:
        """Refuse a message in a chat where the bot may only read."""
        if not self.may_write:
            raise bad_request(f"not enough rights to send {what} to the chat")


class Rooms:
    """Every chat and every person. The same user and chat ids in every run."""

    def __init__(self, clock: Callable[[], float], changed: Callable[[], None]) -> None:
        self.clock = clock
        self.users: dict[int, User] = {}
        self._changed = changed
        self._rooms: dict[int, Room] = {}
        self._user_ids = itertools.count(7_000_000_001)
        self._group_ids = itertools.count(4_100_000_001)
        self._supergroup_ids = itertools.count(1_002_000_000_001)
        self._shared_ids = itertools.count(101)
        self._own_ids: defaultdict[int, Iterator[int]] = defaultdict(lambda: itertools.count(2))

    def now(self) -> int:
        """The date of a message that comes now."""
        return int(self.clock())

    def add_user(self, first_name: str, username: str, language_code: str, is_bot: bool) -> User:
        """A new account."""
        user = User(next(self._user_ids), first_name, username, is_bot, language_code)
        self.users[user.id] = user
        return user

    def open(self, kind: str, title: str, user_id: int | None = None) -> Room:
        """A new chat, or the private chat that is there already."""
        if kind == "private" and user_id in self._rooms:
            return self._rooms[user_id]
        if user_id is not None:
            room_id = user_id
        else:
            room_id = -next(self._group_ids if kind == "group" else self._supergroup_ids)
        ids = self._shared_ids if kind in ("private", "group") else self._own_ids[room_id]
        room = self._rooms[room_id] = Room(room_id, kind, title, ids, self._changed)
        return room

    def find(self, given: str) -> Room:
        """The chat that a call names."""
        if not given:
            raise bad_request("chat_id is empty")
        try:
            return self._rooms[int(given)]
        except (ValueError, KeyError):
            if given.lstrip("-").isdigit() and int(given) in self.users:
                raise forbidden("bot can't initiate conversation with a user") from None
            raise bad_request("chat not found") from None

    def __iter__(self) -> Iterator[Room]:
        return iter(list(self._rooms.values()))
