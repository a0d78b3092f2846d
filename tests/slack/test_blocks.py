"""The double keeps Block Kit's rules, in messages, modals and Home tabs."""

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.slack.channels import Channel
from tests.slack.conftest import Clock
from tests.slack.double import SlackDouble


@pytest.fixture
def channel(slack: SlackDouble) -> Channel:
    return slack.channel("general", members=[slack.user("Ann")], bot=True)


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def section(text: str, **more: Any) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def button(**more: Any) -> dict[str, Any]:
    return {"type": "button", "text": plain("Go"), **more}


def actions(*elements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "actions", "elements": list(elements), **more}


def context(count: int) -> dict[str, Any]:
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": "x"}] * count}


def image(**more: Any) -> dict[str, Any]:
    return {"type": "image", **more}


def menu(count: int) -> dict[str, Any]:
    options = [{"text": plain(str(one)), "value": str(one)} for one in range(count)]
    return {"type": "static_select", "action_id": "m", "options": options}


PICTURE = "https://ferry.example/t.jpg"
GOOD = {
    "the longest section": [section("x" * 3000)],
    "the longest header": [{"type": "header", "text": plain("x" * 150)}],
    "the longest button": [
        actions(button(text=plain("x" * 75), value="v" * 2000, url="https://a.example/" + "u" * 2982))
    ],
    "fifty blocks": [{"type": "divider"}] * 50,
    "a picture beside a text": [section("x", accessory=image(image_url=PICTURE, alt_text="thumbnail"))],
    "ten pieces of context": [context(10)],
    "twenty-five buttons": [actions(*[button(action_id=f"a{one}") for one in range(25)])],
    "a hundred choices": [actions(menu(100))],
    "fields": [{"type": "section", "fields": [plain("a"), plain("b")]}],
}
BAD = {
    "section": (
        [section("x" * 3001)],
        "must be less than 3001 characters [json-pointer:/blocks/0/text/text]",
    ),
    "empty section": ([section("")], "must be more than 0 characters"),
    "header": ([{"type": "header", "text": plain("x" * 151)}], "must be less than 151 characters"),
    "header in mrkdwn": ([{**section("x"), "type": "header"}], "allowed types: plain_text"),
    "button text": ([actions(button(text=plain("x" * 76)))], "must be less than 76 characters"),
    "button in mrkdwn": ([actions(button(text=section("x")["text"]))], "allowed types: plain_text"),
    "value": ([actions(button(value="v" * 2001))], "/blocks/0/elements/0/value"),
    "url": ([actions(button(url="https://a.example/" + "u" * 2983))], "/blocks/0/elements/0/url"),
    "no url": ([actions(button(url="ferry"))], "must be a valid URL"),
    "action_id": ([actions(button(action_id="a" * 256))], "must be less than 256 characters"),
    "action_id twice": ([actions(button(action_id="a")), actions(button(action_id="a"))], "already exists"),
    "block_id": ([section("x", block_id="b" * 256)], "must be less than 256 characters"),
    "block_id twice": ([section("x", block_id="b")] * 2, "already exists"),
    "style": ([actions(button(style="green"))], "value must be one of [primary, danger]"),
    "blocks": ([{"type": "divider"}] * 51, "no more than 50 items allowed [json-pointer:/blocks]"),
    "context": ([context(11)], "no more than 10 items allowed"),
    "actions": ([actions(*[button()] * 26)], "no more than 25 items allowed"),
    "no actions": ([actions()], "must have at least 1 items"),
    "fields": ([{"type": "section", "fields": [plain("a")] * 11}], "no more than 10 items allowed"),
    "alt_text": ([image(image_url=PICTURE)], "missing required field: alt_text"),
    "no picture": ([image(alt_text="x")], "missing required field: image_url"),
    "picture on this machine": (
        [image(image_url="http://127.0.0.1:8000/t.jpg", alt_text="x")],
        "downloading image failed",
    ),
    "unknown block": ([{"type": "progress"}], "unsupported type: progress [json-pointer:/blocks/0/type]"),
    "unknown field": ([section("x", style="bold")], "invalid additional property: style"),
    "section of nothing": ([{"type": "section"}], "missing required field: text"),
    "choices": ([actions(menu(101))], "no more than 100 items allowed"),
    "initial choice": (
        [actions({**menu(2), "initial_option": {"text": plain("9"), "value": "9"}})],
        "initial option must be one of the options",
    ),
    "input among actions": ([actions({"type": "plain_text_input"})], "unsupported type: plain_text_input"),
    "confirm": (
        [
            actions(
                button(
                    confirm={
                        "title": plain("x" * 101),
                        "text": plain("x"),
                        "confirm": plain("Yes"),
                        "deny": plain("No"),
                    }
                )
            )
        ],
        "must be less than 101 characters",
    ),
}


@pytest.mark.parametrize("case", GOOD)
async def test_slack_takes(case: str, client: AsyncWebClient, channel: Channel) -> None:
    await client.chat_postMessage(channel=channel.id, text="x", blocks=GOOD[case])
    (shown,) = channel.messages
    assert all(block["block_id"] for block in shown.blocks)


@pytest.mark.parametrize("case", BAD)
async def test_slack_refuses(case: str, client: AsyncWebClient, channel: Channel) -> None:
    blocks, problem = BAD[case]
    with pytest.raises(SlackApiError) as caught:
        await client.chat_postMessage(channel=channel.id, text="x", blocks=blocks)
    assert caught.value.response["error"] == "invalid_blocks"
    messages = caught.value.response["response_metadata"]["messages"]
    assert any(problem in one and one.startswith("[ERROR] ") for one in messages), messages


async def test_a_whole_message_has_a_limit_too(client: AsyncWebClient, channel: Channel) -> None:
    blocks = [section("x" * 2700)] * 5
    with pytest.raises(SlackApiError, match="msg_blocks_too_long"):
        await client.chat_postMessage(channel=channel.id, text="x", blocks=blocks)
    await client.chat_postMessage(channel=channel.id, text="x", blocks=blocks[:4])


async def test_images_on_this_machine_can_be_allowed(clock: Clock) -> None:
    async with SlackDouble(clock=clock, allow_local_urls=True) as slack:
        client = AsyncWebClient(slack.token, base_url=slack.api_url)
        picture = image(image_url="http://127.0.0.1:8000/t.jpg", alt_text="x")
        await client.chat_postMessage(channel=slack.user("Ann").id, text="x", blocks=[picture])


def modal(**more: Any) -> dict[str, Any]:
    field = {"type": "input", "label": plain("Link"), "element": {"type": "url_text_input"}}
    view = {"type": "modal", "title": plain("Fetch"), "submit": plain("Go"), "blocks": [field]}
    return {name: one for name, one in (view | more).items() if one is not None}


BAD_MODALS = {
    "title": (
        modal(title=plain("x" * 25)),
        "must be less than 25 characters [json-pointer:/view/title/text]",
    ),
    "no title": (modal(title=None), "missing required field: title"),
    "no submit": (modal(submit=None), "must include a `submit`"),
    "a hundred and one blocks": (modal(blocks=[{"type": "divider"}] * 101), "no more than 100 items"),
    "metadata": (modal(private_metadata="x" * 3001), "must be less than 3001 characters"),
    "callback_id": (modal(callback_id="x" * 256), "must be less than 256 characters"),
    "home": (modal(type="home"), "unsupported type: home"),
    "markdown": (modal(blocks=[{"type": "markdown", "text": "x"}]), "unsupported type: markdown"),
    "label": (
        modal(blocks=[{"type": "input", "label": plain(""), "element": {"type": "url_text_input"}}]),
        "/view/blocks/0/label",
    ),
}


@pytest.mark.parametrize("case", BAD_MODALS)
async def test_slack_refuses_a_modal(case: str, slack: SlackDouble, client: AsyncWebClient) -> None:
    view, problem = BAD_MODALS[case]
    trigger = slack.screens.trigger(slack.user("Ann").user)
    with pytest.raises(SlackApiError) as caught:
        await client.views_open(trigger_id=trigger, view=view)
    assert caught.value.response["error"] == "invalid_arguments"
    assert problem in str(caught.value.response["response_metadata"]["messages"])


async def test_a_trigger_opens_one_modal_within_three_seconds(
    slack: SlackDouble, client: AsyncWebClient, clock: Clock
) -> None:
    ann = slack.user("Ann")
    used = slack.screens.trigger(ann.user)
    await client.views_open(trigger_id=used, view=modal())
    late = slack.screens.trigger(ann.user)
    clock.now += 3.1
    for trigger, error in [
        (used, "exchanged_trigger_id"),
        (late, "expired_trigger_id"),
        ("1.2.3", "invalid_trigger_id"),
    ]:
        with pytest.raises(SlackApiError, match=error):
            await client.views_open(trigger_id=trigger, view=modal())


async def test_views_change_while_nobody_else_changed_them(
    slack: SlackDouble, client: AsyncWebClient
) -> None:
    ann = slack.user("Ann")
    opened = await client.views_open(trigger_id=slack.screens.trigger(ann.user), view=modal())
    view = opened["view"]
    await client.views_update(view_id=view["id"], hash=view["hash"], view=modal(title=plain("Second")))
    shown = await ann.sees_modal()
    assert shown.title == "Second"
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await client.views_update(view_id=view["id"], hash=view["hash"], view=modal())
    await ann.closes(shown)
    with pytest.raises(SlackApiError, match="not_found"):
        await client.views_update(view_id=view["id"], view=modal())
    assert slack.modal(ann) is None
    home = {"type": "home", "blocks": [section("*Your jobs*"), actions(button())]}
    await client.views_publish(user_id=ann.id, view=home)
    tab = slack.home(ann)
    assert tab is not None and tab.text == "*Your jobs*\n[Go]"
    with pytest.raises(SlackApiError, match="invalid_arguments"):
        await client.views_publish(user_id=ann.id, view=modal())
