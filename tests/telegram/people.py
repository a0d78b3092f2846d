"""What people do in their chats: tests drive the bot with it, and read what the bot wrote.

ann = telegram.user("Ann")
chat = telegram.private(ann)
await chat.sends("https://example.com/watch")
status = await chat.shows("Queued")
await chat.presses(status, "Cancel")
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.telegram import entities as found
from tests.telegram.managing import member
from tests.telegram.methods import without_reply
from tests.telegram.rooms import Body, Room, User
from tests.telegram.shown import Shown, show
from tests.telegram.updates import Update

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble

Where = Shown | int
_press_ids = itertools.count(4_382_000_000_000_000_001)


@dataclass(frozen=True)
class Sent:
    """A message of a person; `update` is None when privacy mode kept it from the bot."""

    body: Body
    update: Update | None

    @property
    def message_id(self) -> int:
        """Its number in the chat."""
        return int(self.body["message_id"])


@dataclass
class Press:
    """A press of a button; `answer` is the text of the bot's answer, None until it comes."""

    telegram: "TelegramDouble"
    id: str
    time: float
    update: Update | None = None
    answer: str | None = None
    is_alert: bool = False

    async def answered(self, patience: float = 20) -> str:
        """Wait for the answer."""
        await self.telegram.until(lambda: self.answer is not None, patience, "no answer to the press")
        assert self.answer is not None
        return self.answer


class Chat:
    """A chat from the side of the people in it."""

    def __init__(self, telegram: "TelegramDouble", room: Room, people: list[User]) -> None:
        self.telegram = telegram
        self.room = room
        self.people = people

    @property
    def id(self) -> int:
        """The chat's id now: a group that became a supergroup has a new one."""
        return self.room.id

    # what the bot wrote

    @property
    def messages(self) -> list[Shown]:
        """The bot's messages as they are now, oldest first."""
        return [self._shown(body) for body in self.room.messages.values() if self._is_bots(body)]

    @property
    def history(self) -> list[Shown]:
        """Every state that any message of the bot ever had, oldest first."""
        return [self._shown(body) for body in self.room.versions if self._is_bots(body)]

    def message(self, which: Where) -> Shown:
        """One message as it is now."""
        return self._shown(self.room.messages[_id(which)])

    async def shows(self, what: str | Callable[[Shown], Any], patience: float = 20) -> Shown:
        """Wait until a message of the bot contains the text, or fits; the newest of them."""

        def fitting() -> list[Shown]:
            return [
                one for one in self.messages if (what in one.text if isinstance(what, str) else what(one))
            ]

        await self.telegram.until(
            lambda: bool(fitting()),
            patience,
            lambda: f"the bot shows no {what!r}, but:\n" + "\n".join(map(str, self.messages)),
        )
        return fitting()[-1]

    def _shown(self, body: Body) -> Shown:
        return show(body, self.telegram.files)

    def _is_bots(self, body: Body) -> bool:
        return bool(body.get("from", {}).get("id") == self.telegram.me.id)

    # what people do

    async def sends(
        self,
        text: str = "",
        *,
        by: User | None = None,
        entities: list[Body] | None = None,
        reply_to: Where | Sent | None = None,
        thread: int | None = None,
        forwarded_from: User | str | None = None,
        photo: bytes | None = None,
        document: tuple[str, bytes] | None = None,
    ) -> Sent:
        """A message of a person; with a file the text is its caption. Telegram finds the entities itself."""
        body = self._new(by, thread, reply_to)
        marks = found.merge(entities or [], text)
        if photo is not None or document is not None:
            names = "caption", "caption_entities"
            body |= self._file(photo, document)
        else:
            names = "text", "entities"
        body |= ({names[0]: text} if text else {}) | ({names[1]: marks} if marks else {})
        if forwarded_from is not None:
            body["forward_origin"] = self._origin(forwarded_from)
        return self._deliver("message", body)

    async def edits(self, message: Sent, text: str) -> Sent:
        """The person writes something else in place of a message."""
        body = {name: value for name, value in message.body.items() if name not in ("text", "entities")}
        marks = found.find(text)
        body |= {"text": text, "edit_date": self.telegram.rooms.now()} | (
            {"entities": marks} if marks else {}
        )
        return self._deliver("edited_message", body)

    async def deletes(self, message: Where | Sent) -> None:
        """A message goes for everybody; bots are not told."""
        self.room.remove(_id(message))

    async def presses(
        self, message: Where, label: str, *, by: User | None = None, inaccessible: bool = False
    ) -> Press:
        """Press the button with this label on the message as it is now, or, in an old window, as it was."""
        shown = message if isinstance(message, Shown) else self.message(message)
        if shown.message_id in self.room.messages:
            shown = self.message(shown)
        button = shown.button(label)
        assert button.data is not None, f"{label!r} opens {button.url}, it sends nothing to the bot"
        body: Body = self.room.messages.get(shown.message_id, shown.body)
        if inaccessible or shown.message_id not in self.room.messages:
            body = {"chat": self.room.described(), "message_id": shown.message_id, "date": 0}
        press = Press(self.telegram, str(next(_press_ids)), self.telegram.clock())
        self.telegram.presses[press.id] = press
        press.update = self.telegram.updates.add(
            "callback_query",
            {
                "id": press.id,
                "from": (by or self.people[0]).described(),
                "message": body,
                "chat_instance": str(7_000_000_000_000 + abs(self.id) % 1_000_000_007),
                "data": button.data,
            },
        )
        return press

    # how a message is made

    def _new(self, by: User | None, thread: int | None, reply_to: Where | Sent | None) -> Body:
        body: Body = {
            "message_id": next(self.room.ids),
            "from": (by or self.people[0]).described(),
            "chat": self.room.described(),
            "date": self.telegram.rooms.now(),
        }
        if thread is not None:
            body |= {"message_thread_id": thread, "is_topic_message": True}
            body["reply_to_message"] = self.room.topics[thread]  # so it is: every message in a topic replies
        if reply_to is not None:
            body["reply_to_message"] = without_reply(self.room.messages[_id(reply_to)])
        return body

    def _file(self, photo: bytes | None, document: tuple[str, bytes] | None) -> Body:
        if photo is not None:
            kept = self.telegram.files.keep("photo", photo, width=1280, height=720)
        else:
            assert document is not None
            kept = self.telegram.files.keep("document", document[1], document[0], "application/octet-stream")
        return {kept.kind: kept.described()}

    def _origin(self, source: User | str) -> Body:
        date = self.telegram.rooms.now() - 3600
        if isinstance(source, User):
            return {"type": "user", "date": date, "sender_user": source.described()}
        chat = {"id": -1_001_900_000_001, "title": source, "type": "channel"}
        return {"type": "channel", "date": date, "chat": chat, "message_id": 77}

    def _deliver(self, kind: str, body: Body) -> Sent:
        self.room.put(body)
        if not self._reaches_bot(body):
            return Sent(body, None)
        return Sent(body, self.telegram.updates.add(kind, body))

    def _reaches_bot(self, body: Body) -> bool:
        """Privacy mode: of a group's talk a bot gets commands, mentions of it and replies to it."""
        if self.room.bot_status in ("kicked", "left") or self.room.blocked:
            return False
        if self.room.kind in ("private", "channel") or self.room.bot_status == "administrator":
            return True
        if self._is_bots(body.get("reply_to_message", {})):
            return True
        text: str = body.get("text") or body.get("caption", "")
        name = f"@{self.telegram.me.username}".lower()
        for one in body.get("entities") or body.get("caption_entities", []):
            words = found.value(text, one).lower()
            if one["type"] == "bot_command" and ("@" not in words or words.endswith(name)):
                return True
            if one["type"] == "mention" and words == name:
                return True
        return not {"text", "photo", "document"} & set(body)  # a service message

    # what happens to the bot

    def _bot_becomes(self, status: str, by: User | None) -> Update:
        old = member(self.telegram, self.room, self.telegram.me.id)
        self.room.bot_status = status
        if self.room.kind == "private":
            self.room.blocked = status == "kicked"
        change = {
            "chat": self.room.described(),
            "from": (by or self.people[0]).described(),
            "date": self.telegram.rooms.now(),
            "old_chat_member": old,
            "new_chat_member": member(self.telegram, self.room, self.telegram.me.id),
        }
        return self.telegram.updates.add("my_chat_member", change)


class Private(Chat):
    """A person alone with the bot."""

    async def blocks_bot(self) -> Update:
        """From now on the bot can write nothing here."""
        return self._bot_becomes("kicked", None)

    async def unblocks_bot(self) -> Update:
        """The bot may write again."""
        return self._bot_becomes("member", None)


class Group(Chat):
    """Several people and the bot, which is in privacy mode."""

    async def kicks_bot(self, by: User | None = None) -> Update:
        """The bot is thrown out."""
        return self._bot_becomes("kicked", by)

    async def adds_bot(self, by: User | None = None, *, as_admin: bool = False) -> Update:
        """The bot comes back, or becomes an administrator."""
        return self._bot_becomes("administrator" if as_admin else "member", by)

    async def opens_topic(self, name: str, by: User | None = None) -> int:
        """A new topic in a forum; its thread id."""
        assert self.room.is_forum, "only forums have topics"
        body = self._new(by, None, None)
        thread = int(body["message_id"])
        body |= {"message_thread_id": thread, "is_topic_message": True}
        body["forum_topic_created"] = {"name": name, "icon_color": 7322096}
        self.room.topics[thread] = body
        self._deliver("message", body)
        return thread

    async def closes_topic(self, thread: int, by: User | None = None) -> None:
        """Only administrators write there now."""
        self.room.closed_topics.add(thread)
        self._deliver("message", self._new(by, thread, None) | {"forum_topic_closed": {}})

    async def reopens_topic(self, thread: int, by: User | None = None) -> None:
        """Everybody writes there again."""
        self.room.closed_topics.discard(thread)
        self._deliver("message", self._new(by, thread, None) | {"forum_topic_reopened": {}})

    async def becomes_supergroup(self) -> int:
        """The group gets a new id, which this object then has; calls with the old one are refused."""
        assert self.room.kind == "group", "only a basic group becomes a supergroup"
        old, new = self.room, self.telegram.rooms.open("supergroup", self.room.title)
        new.members, new.bot_status = dict(old.members), old.bot_status
        self._deliver("message", self._new(None, None, None) | {"migrate_to_chat_id": new.id})
        old.migrated_to, self.room = new.id, new
        self._deliver("message", self._new(None, None, None) | {"migrate_from_chat_id": old.id})
        return new.id


def _id(which: Where | Sent) -> int:
    return which if isinstance(which, int) else which.message_id
