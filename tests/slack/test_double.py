"""The double keeps Slack's rules: each through slack_sdk's own client, and slack_bolt connects to it."""

from collections.abc import AsyncIterator

import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack.double import SlackDouble


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def slack(clock: Clock) -> AsyncIterator[SlackDouble]:
    async with SlackDouble(clock=clock, ack_patience=1.0, retry_delays=(0.0, 0.0, 0.0)) as running:
        yield running


@pytest.fixture
def client(slack: SlackDouble) -> AsyncWebClient:
    return AsyncWebClient(slack.token, base_url=slack.api_url, retry_handlers=[])


BUTTON = {
    "type": "actions",
    "elements": [
        {"type": "button", "text": {"type": "plain_text", "text": "Cancel"}, "action_id": "c", "value": "1"}
    ],
}


async def test_a_command_becomes_a_message_in_place(slack: SlackDouble, client: AsyncWebClient) -> None:
    ann = slack.user("Ann")
    channel = slack.channel("general", members=[ann], bot=True)
    app = AsyncApp(client=client, process_before_response=True)

    @app.command("/get")
    async def get(ack, command, client) -> None:  # type: ignore[no-untyped-def]
        await client.chat_postMessage(
            channel=command["channel_id"],
            text="Queued",
            blocks=[{"type": "section", "text": {"type": "mrkdwn", "text": "Queued"}}, BUTTON],
        )
        await ack()

    @app.action("c")
    async def cancel(ack, body, client) -> None:  # type: ignore[no-untyped-def]
        await ack()
        await client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text="Cancelled")

    web = AsyncWebClient(slack.app_token, base_url=slack.api_url)
    handler = AsyncSocketModeHandler(app, slack.app_token, web_client=web)
    await handler.connect_async()
    await slack.socket.connected()
    try:
        delivery = await ann.runs("/get https://example.com/watch?a=1&b=2 720p", channel)
        assert delivery.is_acked and delivery.payload["text"] == "https://example.com/watch?a=1&b=2 720p"
        status = await channel.shows("Queued")
        assert status.labels == ["Cancel"]
        await ann.presses(status, "Cancel")
        done = await channel.shows("Cancelled")
        assert done.labels == [] and done.blocks == [] and done.ts == status.ts
    finally:
        await handler.close_async()
