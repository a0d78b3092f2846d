"""HTTP mode: what Slack posts, signed, to the web endpoint of `up` or of `web`."""

import logging
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from fastapi import APIRouter, FastAPI

from bots.desk import Desk
from bots.slack.http import MAX_BODY
from linkferry.chats import running_chats
from linkferry.compose import open_parts
from shared.settings import Settings
from tests.bots.scene import Outage
from tests.bots.slack.conftest import Chatting, chat_in, chatting, double, eventually, settings_for
from tests.slack.double import SlackDouble
from tests.subjects import recorded, subject

LINK = "https://example.com/watch?v=abc123"
URL = "http://ferry.test/slack/events"


def http_settings(folder: Path, slack: SlackDouble, **changes: Any) -> Settings:
    """Settings without a token for Socket Mode."""
    given = {"slack_app_token": "", "slack_signing_secret": slack.signing_secret}
    return settings_for(folder, slack, **(given | changes))


def site(routers: list[APIRouter]) -> FastAPI:
    """A web endpoint with these routes."""
    app = FastAPI()
    for router in routers:
        app.include_router(router)
    return app


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with double(ack_patience=30.0, retry_delays=(0.0, 0.1, 0.1)) as running:
        yield running


@pytest_asyncio.fixture
async def chat(slack: SlackDouble, tmp_path: Path) -> AsyncIterator[Chatting]:
    async with chatting(http_settings(tmp_path / "data", slack)) as (parts, nudge, routers):
        await slack.delivers_to(URL, site(routers))
        yield chat_in(slack, parts, nudge)


async def test_everything_arrives(chat: Chatting) -> None:
    await chat.slack.verifies_url()
    assert (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked
    status = await chat.channel.shows("Queued")
    assert (await chat.ann.presses(status, "Cancel")).is_acked
    await chat.channel.shows("Cancelled.")
    await chat.ann.says(f"<@BOT> {LINK}2", chat.channel)
    await chat.channel.shows("Queued")
    await chat.ann.says(f"{LINK}3", chat.dm)
    await chat.dm.shows("Queued")
    await chat.ann.runs("/status", chat.channel)
    await chat.channel.shows("number 1 in line", only_to=chat.ann)
    await chat.ann.global_shortcut("fetch")
    await chat.ann.submits(await chat.ann.sees_modal(), {"Link": f"{LINK}4", "Where to post": chat.channel})
    assert len(await chat.requests()) == 4
    assert chat.slack.socket.urls == 0


async def test_what_is_logged_while_an_event_is_handled_names_slack(
    chat: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    take = Desk.take

    async def talkative(*given: Any) -> Any:
        logging.getLogger("shared.anything").warning("somebody asks")
        return await take(*given)

    monkeypatch.setattr(Desk, "take", talkative)
    with recorded() as records:
        assert (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked
    assert subject(records, "somebody asks") == {"platform": "slack"}


async def test_a_command_delivered_three_times_is_one_request(chat: Chatting) -> None:
    command = await chat.ann.runs(f"/get {LINK}", chat.channel)
    await chat.slack.repeat(command)
    await chat.slack.repeat(command)
    await chat.channel.shows("Queued")
    assert len(await chat.requests()) == 1 and len(chat.channel.messages) == 1


async def test_nothing_is_acknowledged_before_it_is_stored(
    chat: Chatting, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        Outage(chat.parts.database, patch, "write", 1000)
        command = await chat.ann.runs(f"/get {LINK}", chat.channel)
        assert command.error == "http_service_error"
    with monkeypatch.context() as patch:
        Outage(chat.parts.database, patch, "write", 1000)
        said = await chat.ann.says(f"<@BOT> {LINK}", chat.channel)
    assert (await said.delivery.acked()).outcomes[0] == "http_error"
    await chat.channel.shows("Queued")
    assert len(await chat.requests()) == 1


async def test_what_slack_did_not_sign_is_refused(chat: Chatting) -> None:
    http = chat.slack.http
    assert http is not None
    body = {"type": "event_callback", "event": {"type": "app_mention"}}
    wrong: list[dict[str, str]] = [
        {"x-slack-signature": "v0=0"},
        {"x-slack-signature": ""},
        {"x-slack-request-timestamp": "yesterday"},
        {"x-slack-request-timestamp": "1"},
    ]
    for headers in wrong:
        assert (await http.post("events_api", body, headers)).status_code == 401
    client = http._client
    assert (await client.post(URL, content=b"\xff{")).status_code == 401
    foreign = {b"x-slack-signature": b"v0=\xe9", b"x-slack-request-timestamp": b"%d" % time.time()}
    assert (await client.post(URL, content=b"{}", headers=foreign)).status_code == 401
    assert (await client.post(URL, content=b" " * (MAX_BODY + 1))).status_code == 413
    assert (await client.get(URL)).status_code == 405
    assert await chat.requests() == []


async def test_events_that_nobody_asked_for_are_acknowledged_and_mean_nothing(
    slack: SlackDouble, tmp_path: Path
) -> None:
    slack.events = slack.events | {"link_shared", "message.channels", "member_joined_channel"}
    slack.unfurl_domains = {"example.com"}
    async with chatting(http_settings(tmp_path / "data", slack)) as (parts, nudge, routers):
        await slack.delivers_to(URL, site(routers))
        chat = chat_in(slack, parts, nudge)
        typed = await chat.ann.types(LINK, chat.channel)
        assert typed is not None and typed.is_acked
        said = await chat.ann.says(LINK, chat.channel)
        assert [each.is_acked for each in said.deliveries] == [True, True]
        assert (await chat.ann.joins(chat.channel)) is not None
        assert await chat.requests() == [] and chat.channel.messages == []


async def test_the_web_endpoint_alone_stores_and_another_process_shows(
    slack: SlackDouble, tmp_path: Path
) -> None:
    settings = http_settings(tmp_path / "data", slack)
    async with open_parts(settings) as parts, running_chats(parts, {}, None) as routers:
        await slack.delivers_to(URL, site(routers))
        chat = chat_in(slack, parts, lambda: None)
        assert (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked
        await chat.ann.runs("/ferry status", chat.channel)
        await chat.channel.shows("Queued", only_to=chat.ann)
        assert slack.made("chat.postMessage", "auth.test") == []
    async with chatting(settings):
        await chat.channel.shows("Queued")


async def test_without_a_way_to_hear_it_says_what_to_set(
    slack: SlackDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with chatting(http_settings(tmp_path / "data", slack, slack_signing_secret="")) as (_, _, routers):
        assert routers == []
        await eventually(lambda: "LINKFERRY_SLACK_APP_TOKEN" in caplog.text)
