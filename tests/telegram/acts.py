"""What a person did: a message sent, a button pressed."""

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.telegram.rooms import Body
from tests.telegram.shown import Shown
from tests.telegram.updates import Update

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble

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


Where = Sent | Shown | int


def number_of(which: Where) -> int:
    """The message_id."""
    return which if isinstance(which, int) else which.message_id


@dataclass
class Press:
    """A press of a button; `answer` is the text of the bot's answer, None until it comes."""

    telegram: "TelegramDouble"
    id: str
    time: float
    update: Update | None = None
    answer: str | None = None
    is_alert: bool = False

    async def answered(self, patience: float = 60) -> str:
        """Wait for the answer, `patience` seconds at most."""
        await self.telegram.until(lambda: self.answer is not None, patience, "no answer to the press")
        assert self.answer is not None
        return self.answer


def new_press(telegram: "TelegramDouble") -> Press:
    """A press that the bot may answer from now on."""
    press = Press(telegram, str(next(_press_ids)), telegram.clock())
    telegram.presses[press.id] = press
    return press
