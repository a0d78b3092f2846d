"""Sentences wait for their turn, also in a group where much is said."""

from typing import Any

from bots.background import PATIENCE
from bots.telegram.reading import Speaker
from bots.telegram.replies import Replies
from shared.chat.pace import Pace, Window
from shared.chat.paced import PacedClient
from shared.chat.telegram.render import Message
from tests.shared.chat.virtual import run_virtually, virtual_now

WINDOW = Window("group", calls=1, seconds=25.0, progress=1)


class Mouth:
    """Remembers when it said what."""

    def __init__(self) -> None:
        self.said: list[tuple[str, float]] = []

    async def say(self, chat_id: str, text_html: str, **_: Any) -> str:
        """A new message."""
        self.said.append((text_html, virtual_now()))
        return "1"


def test_a_sentence_waits_as_long_as_a_busy_group_needs() -> None:
    async def talk() -> None:
        mouth: Any = Mouth()
        replies = Replies(mouth, PacedClient(mouth, Pace(lambda _: [WINDOW], 3.0), clock=virtual_now))
        for text in ("one", "two", "three", "four"):
            replies.say(Speaker("-5", "7", "Ann", is_private=False), Message(text))
        await replies.settle(2 * PATIENCE)
        assert mouth.said == [("one", 0.0), ("two", 25.25), ("three", 50.5)], "the fourth comes too late"

    run_virtually(talk())
