"""Socket Mode: connections that go, storage that goes, processes that go."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

import bots.slack.socket
from linkferry.chats import running_chats
from linkferry.compose import delivering, open_parts
from shared.chat import MessageClient
from tests.bots.scene import Outage
from tests.bots.slack.conftest import Chatting, chat_in, chatting, double, eventually, settings_for
from tests.slack.double import SlackDouble

LINK = "https://example.com/watch?v=abc123"


@pytest.mark.parametrize("answers_pings", [True, False])
async def test_a_connection_that_is_alive_but_deaf_is_opened_anew(
    slack: SlackDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answers_pings: bool
) -> None:
    monkeypatch.setattr(bots.slack.socket, "DEAF", 3.0)
    slack.socket.ping_every = 0.1
    async with chatting(settings_for(tmp_path / "data", slack)) as (parts, nudge, _):
        await slack.socket.connected()
        chat = chat_in(slack, parts, nudge)
        if answers_pings:
            await asyncio.sleep(4)
            assert slack.socket.total == 1  # silence of people is no deafness
        slack.socket.go_deaf(answers_pings=answers_pings)
        await eventually(lambda: slack.socket.total >= 2)
        await eventually(lambda: any(not each.is_deaf for each in slack.socket.connections))
        await eventually(lambda: len(slack.socket.connections) == 1)
        await chat.ann.runs(f"/get {LINK}", chat.channel)
        await chat.channel.shows("Queued")


async def test_an_address_that_no_longer_opens_anything_is_not_tried_for_ever(
    slack: SlackDouble, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bots.slack.socket, "DEAF", 2.0)
    monkeypatch.setattr(bots.slack.socket, "PING", 0.5)
    good, used_up = slack.socket.ticket, ["used up"]
    monkeypatch.setattr(slack.socket, "ticket", lambda: used_up.pop() if used_up else good())
    async with chatting(settings_for(tmp_path / "data", slack)) as (parts, nudge, _):
        await slack.socket.connected()
        used_up.append("used up as well")
        await slack.socket.drop()
        await eventually(lambda: slack.socket.total >= 2 and not used_up)
        chat = chat_in(slack, parts, nudge)
        await chat.ann.runs(f"/get {LINK}", chat.channel)
        await chat.channel.shows("Queued")


async def test_a_connection_that_slack_ends_is_followed_by_another(chat: Chatting) -> None:
    await chat.slack.socket.disconnect("refresh_requested")
    await eventually(lambda: chat.slack.socket.total >= 2)
    await eventually(lambda: len(chat.slack.socket.connections) == 1)
    # The client may open two, and give the first up: Slack tells people who just then came to ask again.
    while not (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked:
        await eventually(lambda: len(chat.slack.socket.connections) == 1)
    await chat.channel.shows("Queued")


@pytest.mark.slow
async def test_nothing_is_acknowledged_before_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        double(ack_patience=1.0, retry_delays=(0.0, 0.1, 0.1)) as slack,
        chatting(settings_for(tmp_path / "data", slack)) as (parts, nudge, _),
    ):
        await slack.socket.connected()
        chat = chat_in(slack, parts, nudge)
        with monkeypatch.context() as patch:
            Outage(parts.database, patch, "write", 1000)
            command = await chat.ann.runs(f"/get {LINK}", chat.channel)
            assert not command.is_acked
            await chat.channel.shows("I cannot reach my database", only_to=chat.ann)
        with monkeypatch.context() as patch:
            Outage(parts.database, patch, "write", 1000)
            said = await chat.ann.says(f"<@BOT> {LINK}", chat.channel)
        await said.delivery.acked()
        await chat.channel.shows("Queued")
        assert len(await chat.requests()) == 1


async def test_an_outage_is_logged_without_what_was_to_be_stored(
    chat: Chatting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    @asynccontextmanager
    async def away() -> AsyncIterator[None]:
        values = {"reply_to": "https://hooks.example/secret"}
        raise OperationalError(
            "INSERT", values, Exception("away"), hide_parameters=True
        )  # as Database has it
        yield

    monkeypatch.setattr(chat.parts.database, "write", away)
    chat.slack.courier.patience = 2.0  # there is none to wait for
    await chat.ann.runs(f"/get {LINK}", chat.channel)
    assert "not stored, so not acknowledged: OperationalError: away" in caplog.text
    assert "hooks.example" not in caplog.text


async def test_a_process_killed_after_storing_leaves_the_message_to_the_next(
    slack: SlackDouble, tmp_path: Path
) -> None:
    settings = settings_for(tmp_path / "data", slack)
    clients: dict[str, MessageClient] = {}
    async with open_parts(settings) as parts, delivering(parts, clients) as deliverer:
        async with running_chats(parts, clients, deliverer):
            await slack.socket.connected()
            chat = chat_in(slack, parts, deliverer.nudge)
            slack.hang_next("chat.postMessage")
            assert (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked
            await eventually(lambda: len(slack.made("chat.postMessage")) == 1)
        assert chat.channel.messages == []
        async with running_chats(parts, clients, deliverer):
            await chat.channel.shows("Queued")
            assert len(chat.channel.messages) == 1


async def test_a_token_that_slack_does_not_know_is_said_once(
    slack: SlackDouble, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for changes in ({"slack_bot_token": "xoxb-wrong"}, {"slack_app_token": "xapp-wrong"}):
        caplog.clear()
        async with chatting(settings_for(tmp_path / "data", slack, **changes)):
            await eventually(lambda: "Slack does not know LINKFERRY_SLACK" in caplog.text)
            assert "-wrong" not in caplog.text
    assert slack.socket.total == 0


async def test_slack_that_is_away_at_the_start_is_waited_for(slack: SlackDouble, tmp_path: Path) -> None:
    slack.fail_next("auth.test", status=503)
    slack.fail_next("apps.connections.open", "internal_error")
    async with chatting(settings_for(tmp_path / "data", slack)) as (parts, nudge, _):
        await slack.socket.connected()
        chat = chat_in(slack, parts, nudge)
        await chat.ann.runs(f"/get {LINK}", chat.channel)
        await chat.channel.shows("Queued")
