"""What people do in Slack, and where. `reading` makes it out of payloads; `handlers` and `forms` act."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from bots.desk import Asker
from shared.chat.slack.chats import PLATFORM, chat_id


class Way(Enum):
    """How somebody spoke, and so how they are answered."""

    COMMAND = "command"
    MENTION = "mention"
    DIRECT = "direct"
    SHORTCUT = "shortcut"
    BUTTON = "button"
    HOME = "home"
    FORM = "form"


@dataclass(frozen=True)
class Speaker:
    """Who acts, and where. `answer_url` takes a few answers, also where the app is not in the channel.

    `team` is the workspace that the app is installed in; a guest is of another one, in a channel that both
    share.
    """

    team: str
    channel: str
    user: str
    way: Way
    thread: str | None = None
    answer_url: str | None = field(default=None, repr=False)
    is_guest: bool = False

    @property
    def chat_id(self) -> str:
        """The channel, for the rest of Linkferry."""
        return chat_id(self.team, self.channel)

    @property
    def user_id(self) -> str:
        """The person: ids of people are unique in their workspace only. Also the chat to write to them."""
        return chat_id(self.team, self.user)

    def asker(self, *, is_admin: bool = False) -> Asker:
        """The same for the desk: all answers here are private; `reply_to` keeps the address for them."""
        return Asker(
            PLATFORM, self.chat_id, self.user_id, self.thread, self.answer_url, is_admin, is_private=True
        )


@dataclass(frozen=True)
class Said:
    """Words for the app, as `bots.commands.parse` takes them. `event` is Slack's id of what happened."""

    speaker: Speaker
    text: str
    event: str

    def event_key(self, number: int) -> str:
        """One event per wish: a message with several links holds several."""
        return f"{PLATFORM}:{self.event}:{number}"


@dataclass(frozen=True)
class Pressed:
    """A button; `action_id` is the word and the request that it stands for."""

    speaker: Speaker
    action_id: str
    trigger: str


@dataclass(frozen=True)
class Called:
    """The shortcut that asks for a link."""

    speaker: Speaker
    trigger: str


@dataclass(frozen=True)
class Filled:
    """A modal that was sent: the values of its inputs by block, and what we noted in it."""

    speaker: Speaker
    callback_id: str
    values: Mapping[str, str]
    note: str
    event: str


@dataclass(frozen=True)
class HomeOpened:
    """Somebody looks at the app's Home tab."""

    speaker: Speaker


@dataclass(frozen=True)
class Left:
    """The app was taken out of a workspace."""

    team: str
    at: datetime
