"""What people do in their chats: tests drive the bot with it, and read what the bot wrote.

A test reads like a chat:

    ann = telegram.user("Ann")
    chat = telegram.private(ann)
    await chat.sends("https://example.com/watch")
    status = await chat.shows("Queued")
    await chat.presses(status, "Cancel")
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.telegram import entities as found
from tests.telegram.acts import Press, Sent, Where, new_press, number_of
from tests.telegram.managing import member
from tests.telegram.methods import without_reply
from tests.telegram.privacy import reaches_bot
from tests.telegram.rooms import Body, Room, User
from tests.telegram.shown import Shown, show
from tests.telegram.updates import Update

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble


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
        return self._shown(self.room.messages[number_of(which)])

    async def shows(self, what: str | Callable[[Shown], Any], patience: float = 60) -> Shown:
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
        reply_to: Where | None = None,
        thread: int | None = None,
        forwarded_from: User | str | None = None,
        photo: bytes | None = None,
        document: tuple[str, bytes] | None = None,
    ) -> Sent:
        """A message of a person; with a file the text is its caption. Telegram finds the entities itself."""
        body = self.new_message(by, thread, reply_to)
        marks = found.merge(entities or [], text)
        if photo is not None or document is not None:
            names = "caption", "caption_entities"
            body |= self._file(photo, document)
        else:
            names = "text", "entities"
        body |= ({names[0]: text} if text else {}) | ({names[1]: marks} if marks else {})
        if forwarded_from is not None:
            body["forward_origin"] = self._origin(forwarded_from)
        return self.deliver("message", body)

    async def edits(self, message: Sent, text: str) -> Sent:
        """The person writes something else in place of a message."""
        body = {name: value for name, value in message.body.items() if name not in ("text", "entities")}
        marks = found.find(text)
        body |= {"text": text, "edit_date": self.telegram.rooms.now()} | (
            {"entities": marks} if marks else {}
        )
        return self.deliver("edited_message", body)

    async def deletes(self, message: Where) -> None:
        """A message goes for everybody; bots are not told."""
        self.room.remove(number_of(message))

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
        press = new_press(self.telegram)
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

    def new_message(self, by: User | None, thread: int | None, reply_to: Where | None) -> Body:
        """A message without content yet."""
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
            body["reply_to_message"] = without_reply(self.room.messages[number_of(reply_to)])
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

    def deliver(self, kind: str, body: Body) -> Sent:
        """Show a person's message, and tell the bot if it may know."""
        self.room.put(body)
        if not reaches_bot(self.room, body, self.telegram.me):
            return Sent(body, None)
        return Sent(body, self.telegram.updates.add(kind, body))

    # what happens to the bot

    def bot_becomes(self, status: str, by: User | None) -> Update:
        """Give the bot another status in the chat, and tell it."""
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
        return self.bot_becomes("kicked", None)

    async def unblocks_bot(self) -> Update:
        """The bot may write again."""
        return self.bot_becomes("member", None)
