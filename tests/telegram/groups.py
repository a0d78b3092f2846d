"""Chats of several people with the bot: groups, supergroups, forums, channels."""

from tests.telegram import entities as found
from tests.telegram.acts import Sent
from tests.telegram.people import Chat
from tests.telegram.rooms import User
from tests.telegram.updates import Update


class Group(Chat):
    """Several people and the bot, which is in privacy mode."""

    async def kicks_bot(self, by: User | None = None) -> Update:
        """The bot is thrown out."""
        return self.bot_becomes("kicked", by)

    async def adds_bot(self, by: User | None = None, *, as_admin: bool = False) -> Update:
        """The bot comes back, or becomes an administrator."""
        return self.bot_becomes("administrator" if as_admin else "member", by)

    async def opens_topic(self, name: str, by: User | None = None) -> int:
        """A new topic in a forum; its thread id."""
        assert self.room.is_forum, "only forums have topics"
        body = self.new_message(by, None, None)
        thread = int(body["message_id"])
        body |= {"message_thread_id": thread, "is_topic_message": True}
        body["forum_topic_created"] = {"name": name, "icon_color": 7322096}
        self.room.topics[thread] = body
        self.deliver("message", body)
        return thread

    async def closes_topic(self, thread: int, by: User | None = None) -> None:
        """Only administrators write there now."""
        self.room.closed_topics.add(thread)
        self.deliver("message", self.new_message(by, thread, None) | {"forum_topic_closed": {}})

    async def reopens_topic(self, thread: int, by: User | None = None) -> None:
        """Everybody writes there again."""
        self.room.closed_topics.discard(thread)
        self.deliver("message", self.new_message(by, thread, None) | {"forum_topic_reopened": {}})

    async def becomes_supergroup(self) -> int:
        """The group gets a new id, which this object then has; calls with the old one are refused."""
        assert self.room.kind == "group", "only a basic group becomes a supergroup"
        old, new = self.room, self.telegram.rooms.open("supergroup", self.room.title)
        new.members, new.bot_status = dict(old.members), old.bot_status
        self.deliver("message", self.new_message(None, None, None) | {"migrate_to_chat_id": new.id})
        old.migrated_to, self.room = new.id, new
        self.deliver("message", self.new_message(None, None, None) | {"migrate_from_chat_id": old.id})
        return new.id


class Channel(Chat):
    """A channel in which the bot is an administrator; posts have no author."""

    async def posts(self, text: str) -> Sent:
        """A new post."""
        return self.deliver("channel_post", self._post(text))

    async def edits_post(self, post: Sent, text: str) -> Sent:
        """Another text in place of a post's."""
        body = self._post(text) | {"message_id": post.message_id, "date": post.body["date"]}
        return self.deliver("edited_channel_post", body | {"edit_date": self.telegram.rooms.now()})

    def _post(self, text: str) -> dict[str, object]:
        body = self.new_message(None, None, None)
        del body["from"]
        body |= {"sender_chat": self.room.described(), "text": text}
        marks = found.find(text)
        return body | ({"entities": marks} if marks else {})
