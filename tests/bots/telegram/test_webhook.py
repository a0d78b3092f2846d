"""Pushed updates: stored before they are answered, so that Telegram repeats what was not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy.exc import OperationalError

from bots.desk import Desk
from bots.platforms import wants_webhook
from bots.telegram.webhook import MAX_BODY, PATH, SECRET_HEADER
from linkferry.chats import running_chats
from linkferry.compose import Parts, delivering, open_parts
from linkferry.serve import listening
from shared.settings import Settings
from tests.bots.telegram.conftest import SECRET, Chatting, settings_for
from tests.services import free_port
from tests.telegram.double import TelegramDouble

LINK = "https://example.com/watch?v=abc123"
AWAY = OperationalError("INSERT", {}, OSError("the database is away"))


@asynccontextmanager
async def pushed(settings: Settings, *, shows: bool = True) -> AsyncIterator[Parts]:
    """A process with the web endpoint; `shows` False is one that only stores."""
    clients: dict[str, Any] = {}
    async with (
        open_parts(settings) as parts,
        delivering(parts, clients) as deliverer,
        running_chats(parts, clients, deliverer if shows else None) as routers,
    ):
        app = FastAPI()
        for router in routers:
            app.include_router(router)
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        server.capture_signals = nullcontext  # type: ignore[assignment, method-assign]
        with listening(settings) as sockets:
            serving = asyncio.create_task(server.serve(sockets))
            yield parts
            server.should_exit = True
            await serving


@pytest.fixture
def settings(telegram: TelegramDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Webhook settings; here Telegram pushes over plain HTTP, as a server of one's own may."""
    port = free_port()
    for module in ("linkferry.chats", "linkferry.telegram", "bots.telegram.life"):
        monkeypatch.setattr(f"{module}.wants_webhook", lambda settings: True)
    ann = telegram.user("Ann")
    return settings_for(
        tmp_path / "data",
        telegram,
        telegram_allowed=(str(ann.id),),
        telegram_webhook_secret=SECRET,
        public_url=f"http://127.0.0.1:{port}",
        port=port,
    )


def ann_of(telegram: TelegramDouble) -> Any:
    return next(user for user in telegram.rooms.users.values() if user.first_name == "Ann")


async def test_a_link_by_webhook(telegram: TelegramDouble, settings: Settings) -> None:
    private = telegram.private(ann_of(telegram))
    await private.sends(f"/get {LINK}1")  # before anybody listens: it waits
    async with pushed(settings):
        await private.shows("Queued")
        webhook = telegram.updates.webhook
        assert webhook is not None and webhook.secret_token == SECRET and webhook.url.endswith(PATH)
        await private.sends(f"/get {LINK}2")
        await telegram.until(lambda: len(private.messages) == 2)
    assert not telegram.made("getUpdates") and not telegram.updates.dropped


async def test_a_push_that_comes_twice_is_one_request(telegram: TelegramDouble, settings: Settings) -> None:
    ann = ann_of(telegram)
    private = telegram.private(ann)
    async with pushed(settings) as parts:
        sent = await private.sends(f"/get {LINK}")
        await private.shows("Queued")
        telegram.repeat(sent.update)
        chat = Chatting(telegram, parts, ann, ann)
        await private.sends("/help")
        await private.shows("/subs")
        assert len(await chat.requests()) == 1


async def test_while_the_database_is_away_telegram_is_asked_to_repeat(
    telegram: TelegramDouble, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    private = telegram.private(ann_of(telegram))
    take, failures = Desk.take, iter(range(3))

    async def sometimes(*given: Any) -> Any:
        if next(failures, None) is not None:
            raise AWAY
        return await take(*given)

    monkeypatch.setattr(Desk, "take", sometimes)
    async with pushed(settings):
        await telegram.until(lambda: telegram.updates.webhook is not None)
        await private.sends(f"/get {LINK}")
        await private.shows("Queued")
        webhook = telegram.updates.webhook
        assert webhook is not None and webhook.last_error is not None and "503" in webhook.last_error[1]


async def test_strangers_and_garbage(telegram: TelegramDouble, settings: Settings) -> None:
    async with pushed(settings), httpx.AsyncClient(base_url=settings.public_url, timeout=60) as client:
        while (await client.post(PATH, headers={SECRET_HEADER: SECRET}, content=b"{}")).status_code == 503:
            await asyncio.sleep(0.02)

        async def code(body: bytes, secret: str | None = SECRET) -> int:
            headers = {} if secret is None else {SECRET_HEADER: secret}
            return (await client.post(PATH, headers=headers, content=body)).status_code

        assert [await code(b"{}", secret) for secret in (None, "", "wrong", SECRET + "x")] == [401] * 4
        assert [await code(body) for body in (b"", b"{", b"\xff\xfe", b"[" * 50_000)] == [400] * 4
        odd = (b"{}", b"[]", b"7", b'"x"', b"null", b'{"update_id": "x"}', b'{"update_id": 1, "message": {}}')
        assert [await code(body) for body in odd] == [200] * 7
        assert await code(b'{"message": "%s"}' % (b"x" * 500_000)) == 200, "as large as tdlib lets them be"
        assert await code(b" " * (MAX_BODY + 1)) == 413


async def test_a_process_that_only_stores(telegram: TelegramDouble, settings: Settings) -> None:
    ann = ann_of(telegram)
    update = (await telegram.private(ann).sends(f"/get {LINK}")).update
    async with pushed(settings, shows=False) as parts, httpx.AsyncClient(timeout=60) as client:
        address, headers = settings.public_url + PATH, {SECRET_HEADER: SECRET}
        while (await client.post(address, headers=headers, json=update)).status_code == 503:
            await asyncio.sleep(0.02)
        chat = Chatting(telegram, parts, ann, ann)
        assert len(await chat.requests()) == 1
        assert not telegram.made("sendMessage", "setWebhook", "getUpdates")


@pytest.mark.parametrize(
    ("secret", "public_url", "wants"),
    [("", "https://x.example", False), (SECRET, "http://x.example", False), (SECRET, "", False),
     (SECRET, "https://x.example/", True)],
)  # fmt: skip
def test_when_updates_come_by_webhook(
    telegram: TelegramDouble, tmp_path: Path, secret: str, public_url: str, wants: bool
) -> None:
    settings = settings_for(tmp_path, telegram, telegram_webhook_secret=secret, public_url=public_url)
    assert wants_webhook(settings) is wants
