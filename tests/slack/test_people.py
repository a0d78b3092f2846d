"""What people do reaches the app as Slack documents it, and what the app shows reads as people see it."""

import asyncio
from typing import Any

import pytest
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from tests.slack.channels import Channel
from tests.slack.delivery import Delivery
from tests.slack.double import SlackDouble
from tests.slack.people import Person
from tests.slack.recorded import NAMES, recorded
from tests.slack.test_blocks import actions, button, modal, plain, section


@pytest.fixture
async def ann(slack: SlackDouble) -> Person:
    """Somebody, in a workspace whose app acknowledges everything without a word."""

    async def endpoint(request: Request) -> Response:
        return PlainTextResponse("")

    await slack.delivers_to("http://app/", Starlette(routes=[Route("/", endpoint, methods=["POST"])]))
    return slack.user("Ann")


@pytest.fixture
def channel(slack: SlackDouble, ann: Person) -> Channel:
    return slack.channel("general", members=[ann], bot=True)


# payloads


def shape(value: Any) -> Any:
    """The names in it and the kinds of its values."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    if isinstance(value, list):
        return [shape(one) for one in value]
    return type(value).__name__


def compared(name: str, delivery: Delivery | None) -> Any:
    """The payload of a delivery, compared to what Slack documents under this name."""
    assert delivery is not None and delivery.is_acked
    assert shape(delivery.payload) == shape(recorded(name)), name
    return delivery.payload


LINK = "https://video.example/watch?v=7&list=2"


async def test_what_is_written_has_the_recorded_shape(
    slack: SlackDouble, ann: Person, channel: Channel
) -> None:
    command = compared("slash_command", await ann.runs(f"/get {LINK} 720p", channel))
    assert command["text"] == recorded("slash_command")["text"]
    said = await ann.says(f"<@BOT> {LINK} 720p", channel)
    in_thread = await ann.says("<@BOT> video.example/7", channel, thread=said)
    compared("app_mention_in_thread", in_thread.delivery)
    alone = await ann.writes("https://video.example/watch?v=7", slack.dm(ann))
    for name, message in (("app_mention", said), ("message_im", alone)):
        event = compared(name, message.delivery)["event"]
        assert _links(event["text"]) == _links(recorded(name)["event"]["text"])


def _links(text: str) -> list[str]:
    return [one for one in text.split() if one.startswith("<http")]


async def test_what_is_pressed_opened_and_shared_has_the_recorded_shape(
    slack: SlackDouble, client: AsyncWebClient, ann: Person, channel: Channel
) -> None:
    slack.unfurl_domains = {"ferry.example"}
    worth_seeing = await ann.says(f"worth seeing: {LINK}", channel)
    compared("message_action", await ann.shortcut("fetch_link", worth_seeing))
    cancel = button(text={**plain("Cancel"), "emoji": True}, action_id="cancel", style="danger", value="r")
    status = section("Working 42 %")
    status["text"]["verbatim"] = True
    await client.chat_postMessage(channel=channel.id, text="Working 42 %", blocks=[status, actions(cancel)])
    compared("block_actions", await ann.presses(await channel.shows("Working"), "Cancel"))
    compared("app_home_opened", await ann.opens_home())
    page = "https://ferry.example/w/7f3k"
    compared("link_shared_composer", await ann.types(page, channel))
    compared("link_shared_conversations_history", (await ann.says(page, channel)).delivery)
    compared("member_joined_channel", await ann.invites_bot(slack.channel("new", [ann])))


async def test_a_filled_modal_has_the_recorded_shape(
    client: AsyncWebClient, ann: Person, channel: Channel
) -> None:
    quality = {"type": "static_select", "options": [{"text": plain("720p"), "value": "720p"}]}
    where = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        "response_url_enabled": True,
    }
    fields = [
        _input("link", "Link", {"type": "url_text_input"}),
        _input("quality", "Quality", quality, optional=True),
        _input("where", "Where to post", where),
    ]
    wanted = await ann.global_shortcut("fetch")
    compared("shortcut", wanted)
    view = modal(callback_id="fetch", close=plain("Cancel"), blocks=fields)
    await client.views_open(trigger_id=wanted.id, view=view)
    filled = {"Link": LINK, "quality": "720p", "where": channel}
    submitted = compared("view_submission", await ann.submits(await ann.sees_modal(), filled))
    state = recorded("view_submission")["view"]["state"]
    state["values"]["where"]["value"]["selected_conversation"] = channel.id
    assert submitted["view"]["state"] == state


def _input(block_id: str, label: str, element: dict[str, Any], **more: Any) -> dict[str, Any]:
    element = {**element, "action_id": "value"}
    return {"type": "input", "block_id": block_id, "label": plain(label), "element": element, **more}


@pytest.mark.parametrize("name", [one for one in NAMES if "retried" not in one and one != "url_verification"])
async def test_bolt_knows_every_recorded_payload(name: str, slack: SlackDouble) -> None:
    seen: list[str] = []
    client = AsyncWebClient(slack.token, base_url=slack.api_url)
    app = AsyncApp(client=client, process_before_response=True, ignoring_self_events_enabled=False)

    async def listener(ack: Any) -> None:
        seen.append(name)
        await ack()

    app.command("/get")(listener)
    app.action("cancel")(listener)
    app.view("fetch")(listener)
    for shortcut in ("fetch", "fetch_link"):
        app.shortcut(shortcut)(listener)
    for event in ("app_mention", "app_home_opened", "app_uninstalled", "link_shared", "member_joined_channel",
                  "message", "tokens_revoked"):  # fmt: skip
        app.event(event)(listener)
    app.event({"type": "message", "subtype": "message_changed"})(listener)
    answer = await app.async_dispatch(AsyncBoltRequest(mode="socket_mode", body=recorded(name)))
    assert answer.status == 200 and seen == [name]


# what people do


async def test_typed_links_become_markup(slack: SlackDouble, ann: Person, channel: Channel) -> None:
    bob = slack.user("Bob")
    said = await ann.says(f"<@BOT> youtu.be/7?a=1&b, {bob.mention}: 1 < 2 & <https://x.example|x>", channel)
    assert said.message.body["text"] == (
        f"<@{slack.team.bot_user_id}> <http://youtu.be/7?a=1&amp;b|youtu.be/7?a=1&amp;b>, <@{bob.id}>: "
        "1 &lt; 2 &amp; <https://x.example|x>"
    )
    assert said.message.text == "@Linkferry youtu.be/7?a=1&b, @Bob: 1 < 2 & x"


async def test_the_app_hears_only_what_it_may(slack: SlackDouble, ann: Person, channel: Channel) -> None:
    assert (await ann.says("https://x.example", channel)).deliveries == []
    closed = slack.channel("closed", [ann])
    assert (await ann.says("<@BOT> https://x.example", closed)).deliveries == []
    between = slack.dm(ann, slack.user("Bob"))
    assert (await ann.says("https://x.example", between)).deliveries == []
    assert await ann.types("https://x.example", channel) is None
    slack.commands = {"/ferry"}
    with pytest.raises(AssertionError, match="no valid command"):
        await ann.runs("/get x", channel)


async def test_a_stale_button_can_be_pressed_but_one_that_is_gone_cannot(
    slack: SlackDouble, client: AsyncWebClient, ann: Person, channel: Channel
) -> None:
    ts = (await client.chat_postMessage(channel=channel.id, text="x", blocks=[actions(button(value="v"))]))[
        "ts"
    ]
    seen = channel.message(ts)
    await client.chat_update(channel=channel.id, ts=ts, text="done")
    with pytest.raises(AssertionError, match="no button 'Go'"):
        await ann.presses(seen, "Go")
    old = await ann.presses(seen, "Go", stale=True)
    assert old.payload["actions"][0]["value"] == "v" and old.payload["message"]["text"] == "done"


async def test_a_menu_and_a_channel_that_is_asked_for(
    slack: SlackDouble, client: AsyncWebClient, ann: Person, channel: Channel
) -> None:
    select = {"type": "conversations_select", "action_id": "where", "response_url_enabled": True}
    field = {"type": "input", "block_id": "b", "label": plain("Channel"), "element": select}
    shortcut = await ann.global_shortcut("fetch")
    await client.views_open(trigger_id=shortcut.id, view=modal(blocks=[field]))
    view = await ann.sees_modal()
    with pytest.raises(AssertionError, match="'Channel' is required"):
        await ann.submits(view)
    done = await ann.submits(view, {"Channel": channel})
    assert done.payload["view"]["state"]["values"]["b"]["where"]["selected_conversation"] == channel.id
    assert done.payload["response_urls"][0]["channel_id"] == channel.id
    assert slack.modal(ann) is None

    select = {"type": "static_select", "action_id": "q", "options": [{"text": plain("HD"), "value": "720p"}]}
    await client.chat_postMessage(channel=channel.id, text="x", blocks=[actions(select)])
    picked = await ann.picks(channel.messages[-1], "q", "HD")
    assert picked.payload["actions"][0]["selected_option"]["value"] == "720p"


async def test_an_app_decides_what_becomes_of_a_modal(slack: SlackDouble, client: AsyncWebClient) -> None:
    answers: list[Any] = [
        {"response_action": "errors", "errors": {"b1": "This is no link"}},
        {"response_action": "update", "view": modal(title=plain("Step 2"))},
        {"response_action": "push", "view": modal(title=plain("Step 3"))},
        {"response_action": "clear"},
    ]

    async def endpoint(request: Request) -> Response:
        return JSONResponse(answers.pop(0))

    await slack.delivers_to("http://app/", Starlette(routes=[Route("/", endpoint, methods=["POST"])]))
    ann = slack.user("Ann")
    first = modal()
    first["blocks"][0]["block_id"] = "b1"
    await client.views_open(trigger_id=slack.screens.trigger(ann.user), view=first)
    view = await ann.sees_modal()
    await ann.submits(view, {"Link": "nonsense"})
    assert (await ann.sees_modal()).errors == {"b1": "This is no link"}
    for title in ("Step 2", "Step 3"):
        await ann.submits(await ann.sees_modal(), {"Link": "https://x.example"})
        assert (await ann.sees_modal()).title == title
    await ann.submits(await ann.sees_modal(), {"Link": "https://x.example"})
    assert slack.modal(ann) is None


async def test_waiting_ends_when_it_shows_or_when_patience_does(
    client: AsyncWebClient, ann: Person, channel: Channel
) -> None:
    waiting = asyncio.create_task(channel.shows(lambda one: "Done" in one.text))
    await client.chat_postMessage(channel=channel.id, text="Done")
    assert (await waiting).text == "Done"
    with pytest.raises(AssertionError, match=r"the bot shows no 'Failed', but:\n.*'Done'"):
        await channel.shows("Failed", patience=0.01)


# whom a message pings

PINGS = [
    ("<!channel> <!here|here> <!everyone>", {"channel": True, "here": True, "everyone": True}),
    ("<@U1> <@U2|bob> <!subteam^S1|team>", {"users": ["U1", "U2"], "groups": ["S1"]}),
    ("<#C1|general>", {"channels": ["C1"]}),
    ("&lt;!channel&gt; &lt;!here|x&gt; &amp;lt;!here>", {}),
    ("<https://evil.example?a=1&amp;b|click>", {"links": ["https://evil.example?a=1&b"]}),
    ("see https://bare.example/x", {"links": ["https://bare.example/x"]}),
    ("@here #general", {"names": ["@here", "#general"]}),
]
NOTHING: dict[str, Any] = {
    "channel": False,
    "here": False,
    "everyone": False,
    **{name: [] for name in ("users", "groups", "channels", "links", "names")},
}


@pytest.mark.parametrize(("text", "found"), PINGS)
def test_what_a_text_does(text: str, found: dict[str, Any], slack: SlackDouble) -> None:
    for body in (
        {"text": text},
        {"text": "x", "blocks": [section(text)]},
        {"text": "x", "blocks": [{"type": "context", "elements": [section(text)["text"]]}]},
        {"text": "x", "attachments": [{"text": text}]},
    ):
        assert vars(slack.pings(body)) == NOTHING | found


def test_what_does_nothing(slack: SlackDouble) -> None:
    text = "<!channel> <https://evil.example|click>"
    header = {"type": "header", "text": plain(text)}
    picture = {"type": "image", "image_url": "https://x.example/i", "alt_text": text, "title": plain(text)}
    body = {"text": "x", "blocks": [header, picture, actions(button(text=plain(text)))]}
    assert vars(slack.pings(body)) == NOTHING
    quiet = section("@here https://bare.example")
    quiet["text"]["verbatim"] = True
    assert vars(slack.pings({"blocks": [quiet]})) == NOTHING
    assert slack.read([header]) == text


def test_rich_text_pings_too(slack: SlackDouble) -> None:
    pieces = [{"type": "broadcast", "range": "here"}, {"type": "user", "user_id": "U1"}]
    block = {"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": pieces}]}
    found = slack.pings({"blocks": [block]})
    assert found.here and found.users == ["U1"] and found.anybody


async def test_names_ping_when_the_app_asks_for_it(
    slack: SlackDouble, client: AsyncWebClient, ann: Person, channel: Channel
) -> None:
    await client.chat_postMessage(channel=channel.id, text="@here @ann", link_names=True)
    await client.chat_postMessage(channel=channel.id, text="@here @ann")
    loud, quiet = channel.messages
    assert slack.pings(loud).here and slack.pings(loud).users == ["@here", "@ann"]
    assert not slack.pings(quiet).anybody
