"""Conversations as people see them: what the bot wrote there, its files, and what only one person sees."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.slack.delivery import Delivery
from tests.slack.rooms import Body, Room, Stored
from tests.slack.shown import File, Message, show

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble
    from tests.slack.people import Person


@dataclass(frozen=True)
class Said:
    """A message of a person, and what the app was told of it: nothing where it cannot listen."""

    message: Message
    deliveries: list[Delivery]

    @property
    def ts(self) -> str:
        """Its number in the conversation."""
        return self.message.ts

    @property
    def delivery(self) -> Delivery:
        """The event of it."""
        assert self.deliveries, "the app was not told: it is not in the channel, or not subscribed"
        return self.deliveries[0]


Where = Message | Said | str


class Channel:
    """A conversation from the side of the people in it; a direct message too."""

    def __init__(self, slack: "SlackDouble", room: Room) -> None:
        self.slack = slack
        self.room = room

    @property
    def id(self) -> str:
        """The conversation's id."""
        return self.room.id

    @property
    def mention(self) -> str:
        """The markup that links to it."""
        return f"<#{self.room.id}>"

    @property
    def messages(self) -> list[Message]:
        """The bot's messages as they are now, threads too, oldest first; not what only one person sees."""
        return [self._shown(one) for one in self.room.messages.values() if self._is_bots(one)]

    @property
    def history(self) -> list[Message]:
        """Every state that any message of the bot ever had, oldest first, ephemeral ones too."""
        return [self._shown(one) for one in self.room.versions if self._is_bots(one)]

    @property
    def files(self) -> list[File]:
        """The files that the bot shared here, oldest first."""
        return [self.slack.file(message, one) for message in self.messages for one in _files(message)]

    def thread(self, parent: Where) -> list[Message]:
        """The bot's answers in a thread."""
        parent_ts = ts_of(parent)
        return [one for one in self.messages if one.thread_ts == parent_ts and one.ts != parent_ts]

    def ephemerals(self, person: "Person") -> list[Message]:
        """What only this person sees."""
        return [self._shown(one) for one in self.room.ephemerals[person.id]]

    def message(self, which: Where) -> Message:
        """One message as it is now, ephemeral or not."""
        return self._shown(self.stored(which))

    def stored(self, which: Where) -> Stored:
        """One message as the double keeps it."""
        ts = ts_of(which)
        private = (one for own in self.room.ephemerals.values() for one in own)
        for one in (*self.room.messages.values(), *private):
            if one.ts == ts:
                return one
        raise AssertionError(f"no message {ts} here any more")

    async def shows(
        self,
        what: str | Callable[[Message], Any],
        patience: float = 60,
        *,
        only_to: "Person | None" = None,
    ) -> Message:
        """Wait until a message of the bot contains the text, or fits; the newest of them.

        With `only_to` it is what only this person sees.
        """

        def visible() -> list[Message]:
            return self.ephemerals(only_to) if only_to else self.messages

        def fitting() -> list[Message]:
            return [one for one in visible() if (what in one.text if isinstance(what, str) else what(one))]

        await self.slack.until(
            lambda: bool(fitting()),
            patience,
            lambda: f"the bot shows no {what!r}, but:\n" + "\n".join(map(str, visible())),
        )
        return fitting()[-1]

    def archive(self) -> None:
        """Nobody writes here any more."""
        self.room.is_archived = True

    def _shown(self, stored: Stored) -> Message:
        return show(self.room, stored, self.slack.name_of)

    def _is_bots(self, stored: Stored) -> bool:
        return bool(stored.body.get("user") == self.room.team.bot_user_id)


def slack_event(room: Room) -> str:
    """The subscription that a message in a conversation belongs to."""
    return {"im": "message.im", "group": "message.groups"}.get(room.kind, "message.channels")


def ts_of(which: Where) -> str:
    """The number of a message."""
    return which if isinstance(which, str) else which.ts


def _files(message: Message) -> list[Body]:
    return list(message.body.get("files") or [])
