"""How the app is told: Socket Mode, signed HTTP, repeats, and answers through response_url."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from tests.slack.channels import Channel
from tests.slack.conftest import Clock
from tests.slack.delivery import EVERYTHING, Attempt, Delivery
from tests.slack.double import SlackDouble
from tests.slack.people import Person
from tests.slack.signed import sign

Run = Callable[[AsyncApp], Awaitable[Any]]


@pytest.fixture
def ann(slack: SlackDouble) -> Person:
    return slack.user("Ann")


@pytest.fixture
def channel(slack: SlackDouble, ann: Person) -> Channel:
    return slack.channel("general", members=[ann], bot=True)


class RawSocket:
    """A connection without any library, which acknowledges when the test says so."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def next(self) -> dict[str, Any]:
        message: dict[str, Any] = await self.socket.receive_json(timeout=60)
        return message

    async def ack(self, envelope: dict[str, Any], **payload: Any) -> None:
        body = {"envelope_id": envelope["envelope_id"]}
        await self.socket.send_json(body | ({"payload": payload} if payload else {}))

    async def hears_nothing(self) -> bool:
        try:
            await self.socket.receive(timeout=0.05)
        except TimeoutError:
            return True
        return False


@pytest.fixture
async def connect(slack: SlackDouble) -> Any:
    client = AsyncWebClient(base_url=slack.api_url)
    async with aiohttp.ClientSession() as session:

        async def opened() -> RawSocket:
            url = (await client.apps_connections_open(app_token=slack.app_token))["url"]
            raw = RawSocket(await session.ws_connect(url))
            assert (await raw.next())["type"] == "hello"
            return raw

        yield opened


# Socket Mode


async def test_bolt_answers_a_command_in_place(
    slack: SlackDouble, client: AsyncWebClient, run: Run, ann: Person, channel: Channel
) -> None:
    app = AsyncApp(client=client, process_before_response=True)
    button = {"type": "button", "text": {"type": "plain_text", "text": "Cancel"}, "action_id": "c"}
    blocks = [{"type": "actions", "elements": [button]}]

    @app.command("/get")
    async def get(ack: Any, command: Any) -> None:
        await client.chat_postMessage(channel=command["channel_id"], text="Queued", blocks=blocks)
        await ack("On it")

    @app.action("c")
    async def cancel(ack: Any, body: Any) -> None:
        await ack()
        ts = body["message"]["ts"]
        await client.chat_update(channel=body["channel"]["id"], ts=ts, text="Cancelled")

    await run(app)
    delivery = await ann.runs("/get https://example.com/watch?a=1&b=2 720p", channel)
    assert delivery.outcomes == ["ok"]
    assert [one.text for one in channel.ephemerals(ann)] == ["On it"]
    status = await channel.shows(lambda one: one.labels == ["Cancel"])
    await ann.presses(status, "Cancel")
    done = await channel.shows("Cancelled")
    assert done.ts == status.ts and done.blocks == []
    assert slack.socket.total == 1


async def test_fifty_people_are_answered_at_once(
    slack: SlackDouble, client: AsyncWebClient, run: Run, channel: Channel
) -> None:
    slack.limits.enabled = False
    app = AsyncApp(client=client, process_before_response=True)

    @app.command("/get")
    async def get(ack: Any, command: Any) -> None:
        await client.chat_postMessage(channel=command["user_id"], text=command["text"])
        await ack()

    await run(app)
    people = [slack.user(f"P{number}") for number in range(50)]
    told = await asyncio.gather(*[one.runs(f"/get {one.id}", channel) for one in people])
    assert all(one.outcomes == ["ok"] for one in told)
    assert all([shown.text for shown in slack.dm(one).messages] == [one.id] for one in people)


async def test_an_app_that_dies_before_it_answers_hears_an_event_again(
    slack: SlackDouble, connect: Any, ann: Person, channel: Channel
) -> None:
    raw = await connect()
    said = asyncio.create_task(ann.says("<@BOT> https://example.com/w", channel))
    first = await raw.next()
    await slack.socket.drop()
    second = await connect()
    again = await second.next()
    await second.ack(again)
    delivery = await (await said).delivery.acked()
    assert delivery.outcomes == ["connection_failed", "ok"]
    assert again["payload"] == first["payload"]


async def test_a_ticket_opens_one_connection(slack: SlackDouble) -> None:
    client = AsyncWebClient(base_url=slack.api_url)
    url = (await client.apps_connections_open(app_token=slack.app_token))["url"]
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(url):
            pass
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)


async def test_each_envelope_goes_to_one_connection(
    slack: SlackDouble, connect: Any, ann: Person, channel: Channel
) -> None:
    first, second = await connect(), await connect()
    told = [asyncio.create_task(ann.runs(f"/get {one}", channel)) for one in range(2)]
    envelopes = [await first.next(), await second.next()]
    assert sorted(one["payload"]["text"] for one in envelopes) == ["0", "1"]
    assert {one["type"] for one in envelopes} == {"slash_commands"}
    for raw, envelope in zip((first, second), envelopes, strict=True):
        await raw.ack(envelope)
    assert all(one.is_acked for one in await asyncio.gather(*told))


async def test_an_event_without_ack_comes_again_and_a_command_does_not(
    slack: SlackDouble,
    connect: Any,
    ann: Person,
    channel: Channel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attempt = slack.socket.attempt

    async def hasty(delivery: Delivery, number: int, reason: str, patience: float) -> Attempt:
        return await attempt(delivery, number, reason, patience if number else 0.03)

    monkeypatch.setattr(slack.socket, "attempt", hasty)
    raw = await connect()
    said = asyncio.create_task(ann.says("<@BOT> https://example.com/w", channel))
    first, second = await raw.next(), await raw.next()
    assert first["retry_attempt"] == 0 and (second["retry_attempt"], second["retry_reason"]) == (1, "timeout")
    assert first["payload"] == second["payload"] and first["envelope_id"] != second["envelope_id"]
    await raw.ack(second)
    delivery = await (await said).delivery.acked()
    assert delivery.outcomes == ["timeout", "ok"]

    command = await ann.runs("/get x", channel)
    assert (command.outcomes, command.error) == (["timeout"], "operation_timeout")
    await raw.next()
    assert await raw.hears_nothing()


async def test_what_happens_to_connections(
    slack: SlackDouble, connect: Any, ann: Person, channel: Channel
) -> None:
    raw = await connect()
    await slack.socket.disconnect("warning")
    assert await raw.next() == {"type": "disconnect", "reason": "warning"}
    assert not raw.socket.closed and len(slack.socket.connections) == 1
    await slack.socket.disconnect()
    assert (await raw.next())["reason"] == "refresh_requested"
    assert (await raw.socket.receive()).type is aiohttp.WSMsgType.CLOSE

    second = await connect()
    await slack.socket.drop()
    assert (await second.socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
    assert slack.socket.total == 2

    third = await connect()
    slack.socket.go_deaf()
    slack.courier.patience = 0.03
    assert (await ann.runs("/get x", channel)).outcomes == ["timeout"]
    assert await third.hears_nothing() and not third.socket.closed


async def test_bolt_connects_anew_when_slack_asks_for_it(slack: SlackDouble, run: Run) -> None:
    client = AsyncWebClient(slack.token, base_url=slack.api_url)
    await run(AsyncApp(client=client))
    (old,) = slack.socket.connections
    await slack.socket.disconnect("refresh_requested", closes=False)
    while old in slack.socket.connections or not slack.socket.connections:
        await asyncio.sleep(0.01)
    assert slack.socket.total >= 2  # it may give one up that has just come


async def test_what_nobody_hears_is_lost_but_events_come_later(
    slack: SlackDouble, connect: Any, ann: Person, channel: Channel
) -> None:
    slack.courier.retry_delays = (0.05,) * 1000  # until somebody is about to connect
    command = await ann.runs("/get x", channel)
    assert (command.outcomes, command.error) == (["no_connection"], "dispatch_failed")
    said = await ann.says("<@BOT> https://example.com/w", channel)
    raw = await connect()
    await raw.ack(await raw.next())
    await said.delivery.acked()


async def test_the_bot_hears_its_own_messages_in_a_direct_message(
    slack: SlackDouble, client: AsyncWebClient, connect: Any, ann: Person
) -> None:
    raw = await connect()
    sent = await client.chat_postMessage(channel=ann.id, text="Queued")
    posted = await raw.next()
    assert posted["payload"]["event"]["bot_id"] == slack.team.bot_id
    await raw.ack(posted)
    await client.chat_update(channel=sent["channel"], ts=sent["ts"], text="Half")
    edited = await raw.next()
    event = edited["payload"]["event"]
    assert (event["subtype"], event["message"]["text"]) == ("message_changed", "Half")
    await raw.ack(edited)


# HTTP mode


def asgi(app: AsyncApp) -> Starlette:
    handler = AsyncSlackRequestHandler(app)

    async def endpoint(request: Request) -> Response:
        return await handler.handle(request)

    return Starlette(routes=[Route("/slack/events", endpoint, methods=["POST"])])


@pytest.fixture
async def today() -> Any:
    """A double whose clock is ours, as slack_bolt compares timestamps with it."""
    async with SlackDouble(ack_patience=30.0, retry_delays=(0, 0, 0)) as running:
        yield running


def bolt(slack: SlackDouble) -> AsyncApp:
    client = AsyncWebClient(slack.token, base_url=slack.api_url)
    return AsyncApp(client=client, signing_secret=slack.signing_secret, process_before_response=True)


async def test_bolt_takes_signed_requests(today: SlackDouble) -> None:
    app, seen = bolt(today), []

    @app.command("/get")
    async def get(ack: Any, command: Any) -> None:
        seen.append(command["text"])
        await ack("On it")

    @app.event("app_mention")
    async def mentioned(event: Any) -> None:
        seen.append(event["text"])

    @app.shortcut("fetch_link")
    async def fetch(ack: Any, shortcut: Any) -> None:
        seen.append(shortcut["message"]["text"])
        await ack()

    await today.delivers_to("http://ferry.example/slack/events", asgi(app))
    await today.verifies_url()
    ann = today.user("Ann")
    channel = today.channel("general", [ann], bot=True)
    command = await ann.runs("/get https://example.com/w?a=1&b=2", channel)
    said = await ann.says("<@BOT> https://example.com/w?a=1&b=2", channel)
    press = await ann.shortcut("fetch_link", said)
    assert [one.outcomes for one in (command, said.delivery, press)] == [["ok"]] * 3
    assert seen == [
        "https://example.com/w?a=1&b=2",
        *[f"<@{today.team.bot_user_id}> <https://example.com/w?a=1&amp;b=2>"] * 2,
    ]
    assert [one.text for one in channel.ephemerals(ann)] == ["On it"]


async def test_a_wrong_signature_and_an_old_one_are_refused(today: SlackDouble) -> None:
    await today.delivers_to("http://ferry.example/slack/events", asgi(bolt(today)))
    assert today.http is not None
    body = {"type": "url_verification", "challenge": "x"}
    forged = {"x-slack-signature": "v0=00"}
    assert (await today.http.post("events_api", body, forged)).status_code == 401
    old = {
        "x-slack-request-timestamp": "1500000000",
        "x-slack-signature": sign(today.signing_secret, "1500000000", json.dumps(body)),
    }
    assert (await today.http.post("events_api", body, old)).status_code == 401


async def test_an_event_comes_three_more_times_with_retry_headers(
    slack: SlackDouble, ann: Person, channel: Channel
) -> None:
    seen: list[Any] = []
    answers = iter([500, 500, 200])

    async def endpoint(request: Request) -> Response:
        body = await request.json()
        seen.append([body["event_id"], *(request.headers.get(f"x-slack-retry-{one}") for one in WORDS)])
        return PlainTextResponse("", next(answers))

    app = Starlette(routes=[Route("/", endpoint, methods=["POST"])])
    await slack.delivers_to("http://ferry.example/", app)
    delivery = await (await ann.says("<@BOT> hi", channel)).delivery.acked()
    assert delivery.outcomes == ["http_error", "http_error", "ok"] and len(delivery.seconds) == 3
    event_id = delivery.id
    assert seen == [[event_id, None, None], [event_id, "1", "http_error"], [event_id, "2", "http_error"]]


async def test_a_repeat_and_a_lost_answer_bring_the_same_again(
    slack: SlackDouble, ann: Person, channel: Channel
) -> None:
    seen: list[str] = []

    async def endpoint(request: Request) -> Response:
        seen.append((await request.body()).decode().partition("trigger_id=")[2])
        return PlainTextResponse("")

    app = Starlette(routes=[Route("/", endpoint, methods=["POST"])])
    await slack.delivers_to("http://ferry.example/", app)
    slack.courier.redelivers, slack.courier.acks_to_lose = EVERYTHING, 2
    delivery = await (await ann.runs("/get x", channel)).acked()
    assert delivery.outcomes == ["timeout", "timeout", "ok"]
    await slack.repeat(delivery)
    assert len(seen) == 4 and set(seen) == {delivery.id}


WORDS = ("num", "reason")

# response_url


async def test_a_command_is_answered_five_times_where_the_bot_is_not(
    slack: SlackDouble, clock: Clock, ann: Person
) -> None:
    elsewhere = slack.channel("elsewhere", [ann])
    url = (await ann.runs("/get x", elsewhere)).payload["response_url"]
    hook = AsyncWebhookClient(url, retry_handlers=[])
    await hook.send(text="Invite me first")
    assert [one.text for one in elsewhere.ephemerals(ann)] == ["Invite me first"]
    await hook.send(text="For all", response_type="in_channel")
    assert [one.text for one in elsewhere.messages] == ["For all"]
    await hook.send(text="For all, better", replace_original=True)
    assert [one.text for one in elsewhere.messages] == ["For all, better"]
    bad = await hook.send(text="x", blocks=[{"type": "progress"}])
    assert "invalid_blocks" in bad.body
    await hook.send(delete_original=True)
    assert elsewhere.messages == []
    assert (await hook.send(text="five")).status_code == 200
    used = await hook.send(text="six")
    assert used.status_code == 404 and "used_url" in used.body

    late = AsyncWebhookClient((await ann.runs("/get x", elsewhere)).payload["response_url"])
    clock.now += 30 * 60 + 1
    assert "expired_url" in (await late.send(text="late")).body


async def test_a_press_can_replace_what_only_one_person_sees(
    slack: SlackDouble, client: AsyncWebClient, ann: Person, channel: Channel
) -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "Share"}, "action_id": "s"}
    blocks = [{"type": "actions", "elements": [button]}]
    await client.chat_postEphemeral(channel=channel.id, user=ann.id, text="Private", blocks=blocks)
    (private,) = channel.ephemerals(ann)
    press = await ann.presses(private, "Share")
    assert press.payload["container"]["is_ephemeral"] and "message" not in press.payload
    hook = AsyncWebhookClient(press.payload["response_url"])
    await hook.send(text="Shared", replace_original=True)
    assert [one.text for one in channel.ephemerals(ann)] == ["Shared"]
