"""Whole journeys against `lo-bot-api-emulator`: a Bot API server that somebody else wrote.

It checks calls and keyboards by its own reading of the Bot API, and has its own queue of updates and its own
webhooks. It lacks: `editMessageMedia`, so a result cannot be in its message there (the double of
tests/telegram proves that); memory of what messages show; `link_preview_options`; a user name in `getMe`.
`Emulator` adds the last three.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvicorn
from aiohttp import web
from fastapi import APIRouter, FastAPI
from lo_bot_api_emulator import LoBotApiEmulator

import linkferry.telegram
import shared.deliveries
from bots.telegram.webhook import PATH
from linkferry.serve import listening
from shared.chat.telegram.client import NOT_TAKEN
from shared.settings import Settings
from tests.bots.telegram.conftest import SECRET, working
from tests.services import free_port
from tests.site.server import MediaSite
from worker.child import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATIENCE = 60.0  # seconds
TOKEN = "7000000002:AAHemulated-token-of-the-tests-00000"
ANN = 31
PUBLIC = "https://films.example"


@dataclass(frozen=True)
class Shown:
    """A message of the bot, as the last call for it said."""

    message_id: int
    text: str
    buttons: dict[str, dict[str, str]]  # by label


class Emulator(LoBotApiEmulator):  # type: ignore[misc]  # it has no types
    """The emulator, with a memory, a user name, and deaf to what it refuses though Telegram knows it."""

    def __init__(self) -> None:
        super().__init__(allow_insecure_loopback_webhooks=True)
        self.messages: dict[int, Shown] = {}
        self.refused: list[str] = []
        self.answers: list[str] = []

    async def read_request(self, request: Any) -> Any:
        """Without the field that it refuses."""
        fields, uploads = await super().read_request(request)
        fields.pop("link_preview_options", None)
        return fields, uploads

    def validate(self, method: str, fields: Any, uploads: Any) -> Any:
        """Its own verdict; then a note of what people see."""
        try:
            result = super().validate(method, fields, uploads)
        except Exception as error:
            self.refused.append(f"{method}: {error!r} {getattr(error, 'description', '')}")
            raise
        if method == "getMe":
            return result | {"username": "linkferry_bot"}
        if method in ("sendMessage", "editMessageText"):
            self._note(result)
        if method == "answerCallbackQuery":
            self.answers.append(fields.get("text", ""))
        return result

    def _note(self, message: dict[str, Any]) -> None:
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        buttons = {button["text"]: button for row in rows for button in row}
        self.messages[message["message_id"]] = Shown(message["message_id"], message["text"], buttons)


class Ann:
    """A person at the emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self._numbers = itertools.count(1001)
        self._me = {"id": ANN, "is_bot": False, "first_name": "Ann", "language_code": "en"}
        self._chat = {"id": ANN, "type": "private", "first_name": "Ann"}

    async def sends(self, text: str) -> None:
        """A message."""
        message = {"message_id": next(self._numbers), "date": 1_700_000_000, "from": self._me,
                   "chat": self._chat, "text": text}  # fmt: skip
        await self.emulator.enqueue_update({"message": message}, token=TOKEN)

    async def presses(self, shown: Shown, label: str) -> None:
        """A button."""
        message = {"message_id": shown.message_id, "date": 1_700_000_000, "chat": self._chat,
                   "text": shown.text}  # fmt: skip
        query = {"id": str(next(self._numbers)), "from": self._me, "chat_instance": "1",
                 "message": message, "data": shown.buttons[label]["callback_data"]}  # fmt: skip
        await self.emulator.enqueue_update({"callback_query": query}, token=TOKEN)

    async def sees(self, fits: Callable[[Shown], bool]) -> Shown:
        """Wait for a message that is so."""
        try:
            async with asyncio.timeout(PATIENCE):
                while True:
                    for shown in self.emulator.messages.values():
                        if fits(shown):
                            return shown
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"{self.emulator.messages} {self.emulator.refused}") from None


@pytest_asyncio.fixture(loop_scope="session")
async def ann() -> AsyncIterator[Ann]:
    yield Ann(Emulator())


@asynccontextmanager
async def emulated(ann: Ann) -> AsyncIterator[str]:
    """The address under which the emulator answers."""
    runner = web.AppRunner(ann.emulator.app(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared.deliveries, "RETRY", 0.1)
    monkeypatch.setattr(linkferry.telegram, "windows", lambda chat: ())


def settings_of(tmp_path: Path, site: MediaSite, url: str, **changes: Any) -> Settings:
    site.reset()
    return Settings(
        _env_file=None, data_dir=tmp_path / "data", telegram_token=TOKEN, telegram_api_url=url,
        telegram_allowed=(str(ANN),), allowed_addresses=(f"127.0.0.1:{site.port}",), **changes,
    )  # fmt: skip


async def chooses_audio(ann: Ann, link: str) -> tuple[Shown, Shown]:
    """From a link to its sound; returns the question and the result."""
    await ann.sends(link)
    question = await ann.sees(lambda shown: "Audio" in shown.buttons)
    await ann.presses(question, "Audio")
    result = await ann.sees(lambda shown: "Listen" in shown.buttons)
    assert result.message_id == question.message_id
    return question, result


async def test_by_polling_a_link_becomes_a_question_and_then_the_result(
    ann: Ann, tmp_path: Path, site: MediaSite, children: ChildServer
) -> None:
    """The emulator cannot put a file into a message, so after some tries the result is a link."""
    async with emulated(ann) as url, working(settings_of(tmp_path, site, url, public_url=PUBLIC), children):
        question, result = await chooses_audio(ann, site.url("/watch/sample"))
        assert list(question.buttons) == ["Best quality", "Audio", "Transcript"]
        assert NOT_TAKEN in result.text and "audio · m4a" in result.text
        assert all(button["url"].startswith(PUBLIC) for button in result.buttons.values())
        await ann.sends("/find nothing-like-that")
        await ann.sees(lambda shown: "Nothing of what you have fetched" in shown.text)
    assert ann.emulator.answers == ["On it."]
    refused = {words.partition(":")[0] for words in ann.emulator.refused}
    assert refused == {"editMessageMedia"}, ann.emulator.refused
    info = ann.emulator._update_queues.info(TOKEN)
    assert info["pending_update_count"] == 0, "everything is confirmed"
    assert info["allowed_updates"] == ["message", "callback_query", "my_chat_member"]


@asynccontextmanager
async def answering(settings: Settings, routers: list[APIRouter]) -> AsyncIterator[None]:
    """The web endpoint with what chats need of it."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    server.capture_signals = nullcontext  # type: ignore[assignment, method-assign]
    with listening(settings) as sockets:
        serving = asyncio.create_task(server.serve(sockets))
        yield
        server.should_exit = True
        await serving


async def test_by_webhook_settings_count_and_the_result_is_a_link_as_wished(
    ann: Ann, tmp_path: Path, site: MediaSite, children: ChildServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The emulator pushes over plain HTTP to this machine only, where Telegram wants https."""
    for module in ("linkferry.chats", "linkferry.telegram", "bots.telegram.life"):
        monkeypatch.setattr(f"{module}.wants_webhook", lambda settings: True)
    port = free_port()
    async with emulated(ann) as url:
        here = f"http://127.0.0.1:{port}"
        settings = settings_of(
            tmp_path, site, url, public_url=here, port=port, telegram_webhook_secret=SECRET
        )
        async with working(settings, children) as routers, answering(settings, routers):
            await ann.sends("/settings")  # before the webhook is set: it waits
            page = await ann.sees(lambda shown: "Send a link" in shown.buttons)
            assert ann.emulator._update_queues.info(TOKEN)["url"] == here + PATH
            await ann.presses(page, "Send a link")
            await ann.sees(lambda shown: "✓ Send a link" in shown.buttons)
            await ann.sends(f"/get {site.url('/watch/sample')} mp3")
            result = await ann.sees(lambda shown: "audio · mp3" in shown.text)
            assert f"{here}/" in result.text, "no button: others than this machine cannot open it"
    assert ann.emulator.refused == []
    methods = [one["method"] for one in ann.emulator.requests]
    assert "getUpdates" not in methods and "setWebhook" in methods
