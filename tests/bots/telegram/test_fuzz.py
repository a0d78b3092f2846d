"""Whatever comes in the shape of an update, nothing crashes, and the next update is served."""

import asyncio
import copy
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bots.desk import Desk
from bots.telegram.access import Access
from bots.telegram.handlers import TelegramBot
from bots.telegram.reception import Reception
from bots.telegram.replies import Replies
from linkferry.compose import open_parts
from shared.chat.pace import Pace
from shared.chat.paced import PacedClient
from shared.chat.telegram.bot import open_bot
from tests.bots.telegram.conftest import settings_for
from tests.telegram.double import TelegramDouble
from tests.telegram.html import parse_html

RECORDED = [
    json.loads(path.read_text())
    for path in sorted((Path(__file__).parents[2] / "telegram" / "updates").glob("*.json"))
]
SAID, COUNTED = ("text", "caption", "data"), ("offset", "length")
HELP = {
    "update_id": 1,
    "message": {
        "message_id": 1,
        "date": 1790000000,
        "chat": {"id": 7000000001, "type": "private"},
        "from": {"id": 7000000001, "is_bot": False, "first_name": "Ann"},
        "text": "/help",
    },
}
PEOPLE = ("7000000001", "7000000002", "-1002000000001")
LINK = "https://example.com/watch?v=abc123"

WORDS = st.sampled_from(
    ["/get", "/subs", "/status", "/cancel", "/find", "/settings", "/allow", "/deny", "/users", "/start",
     "/get@linkferry_bot", "@linkferry_bot", "subs", "en,de", "none", "here", LINK, "https://", "🎬",
     "\ud800", "\x00", "<b>", "&amp;", "%s", "set:choice:720p",
     "cancel:" + "0" * 32, "choose:" + "f" * 32 + ":audio"]
)  # fmt: skip
TEXTS = st.one_of(st.lists(WORDS, max_size=5).map(" ".join), st.text(max_size=40))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-(2**63), 2**63), st.floats(allow_nan=False), TEXTS)
JSON = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from(["id", "chat", "type", "text", "from", "offset", "length"]), inner),
    ),
    max_leaves=6,
)


@st.composite
def updates(draw: st.DrawFn) -> Any:
    """A recorded update with other words, and sometimes other parts."""
    update = copy.deepcopy(draw(st.sampled_from(RECORDED)))
    if draw(st.integers(0, 20)) == 0:
        return draw(JSON)
    for holder, key in list(_places(update)):
        if key in SAID:
            holder[key] = draw(TEXTS)
        elif key in COUNTED:
            holder[key] = draw(st.integers(-3, 30))
    for _ in range(draw(st.sampled_from([0, 0, 1, 3]))):
        holder, key = draw(st.sampled_from(list(_places(update))))
        if isinstance(holder, dict) and len(holder) > 1 and draw(st.booleans()):
            del holder[key]
        else:
            holder[key] = draw(JSON)
    return update


def _places(found: Any) -> Iterator[tuple[Any, Any]]:
    items = found.items() if isinstance(found, dict) else enumerate(found) if isinstance(found, list) else ()
    for key, value in items:
        yield found, key
        yield from _places(value)


class Mouth:
    """Says nothing, but Telegram would take it."""

    def __init__(self) -> None:
        self.said = 0
        self.text = ""

    async def say(self, chat_id: str, text_html: str, **_: Any) -> str:
        """Check what would be sent."""
        self.text, _entities = parse_html(text_html)
        assert 0 < len(self.text) <= 4096
        self.said += 1
        return "1"

    async def restate(self, chat_id: str, message_id: str, text_html: str, buttons: Any = ()) -> None:
        """Check what would be shown."""
        await self.say(chat_id, text_html)

    async def answer(self, callback_id: str, text: str = "") -> None:
        """The client cuts what is too long."""
        self.said += 1


@pytest.mark.slow
def test_no_update_crashes_the_bot(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with asyncio.Runner() as runner:
        reception, replies, mouth, close = runner.run(_open(tmp_path))

        async def served(update: Any) -> bool:
            is_done = await reception.take(update)
            await replies.settle(5)
            return bool(is_done)

        @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
        @given(updates())
        def take(update: Any) -> None:
            assert runner.run(served(update)), update

        take()
        assert mouth.said > 20, "most of it never reached the bot"
        assert runner.run(served(HELP))
        assert mouth.text.startswith("Send a link"), "it goes on"
        runner.run(close())
    assert "a sentence could not be said" not in caplog.text


async def _open(folder: Path) -> Any:
    telegram = await TelegramDouble(limits=False).__aenter__()
    given_settings = settings_for(folder, telegram, telegram_allowed=PEOPLE)
    opened = open_parts(given_settings)
    parts = await opened.__aenter__()
    bot = open_bot(given_settings)
    await bot.initialize()
    mouth = Mouth()
    client = cast(Any, mouth)
    replies = Replies(client, PacedClient(client, Pace(lambda chat: (), 3.0)))
    access = Access(parts.database, PEOPLE, ["a-key-of-the-tests-0001"], telegram.token)
    desk = Desk(parts.database, parts.queue, parts.intake, parts.follower)
    talk = TelegramBot(bot, desk, access, replies, parts.database)

    async def close() -> None:
        await bot.shutdown()
        await opened.__aexit__(None, None, None)
        await telegram.__aexit__(None, None, None)

    return Reception(bot, talk.handle, parts.database), replies, mouth, close
