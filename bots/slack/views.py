"""Modals and the Home tab: plain dictionaries that Slack's views take. Pure."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from bots.desk import NOTHING_YET, Asked
from bots.slack.texts import NAME, named, state_of, title_of
from shared.chat.files import main_artifact
from shared.chat.slack.blocks import Block, actions, button, context, markup, plain, section
from shared.chat.slack.chats import split_chat
from shared.models import Request
from shared.options import MediaFormat, Quality

FETCH, SHARE = "fetch", "share"  # callbacks of the modals; the shortcut that opens the first has its name
FETCH_LINK = "fetch_link"  # the shortcut on messages
TRANSCRIPT = "transcript"  # among the formats: no film at all
CHANNEL, PRIVATE = "channel", "private"

MAX_WORDS = 200  # characters of an input

View = dict[str, Any]


def fetch_form() -> View:
    """Asks for a link, and what shall become of it."""
    formats = [(each.value, each.value) for each in MediaFormat] + [(TRANSCRIPT, "transcript only")]
    where = _conversation("Where to post")
    return _modal(
        FETCH,
        "Fetch a link",
        "Fetch",
        [
            _input("link", "Link", {"type": "url_text_input"}),
            _input("quality", "Quality", _select([(each, each) for each in Quality], Quality.P1080)),
            _input("format", "Format", _select(formats, MediaFormat.MP4)),
            _input(
                "languages",
                "Caption languages",
                {"type": "plain_text_input", "max_length": MAX_WORDS, "placeholder": plain("en, de")},
                optional=True,
            ),
            where,
        ],
    )


def share_form(request: Request) -> View:
    """Asks who shall see a transcript. Notes whose it is, and where it was asked for."""
    choices = [(CHANNEL, "Everybody in a channel"), (PRIVATE, "Only me")]
    who = {**_select(choices, CHANNEL), "type": "radio_buttons"}
    return _modal(
        SHARE,
        "Share transcript",
        "Share",
        [_input("who", "Who shall see it?", who), {**_conversation("Channel"), "optional": True}],
        share_note(request),
    )


def share_note(request: Request) -> str:
    """What the form carries: the request, and its channel."""
    return f"{request.id.hex} {split_chat(request.chat_id)[1]}"


def read_share_note(note: str) -> tuple[UUID, str]:
    """The same back. Raises ValueError for what is none."""
    name, _, channel = note.partition(" ")
    return UUID(hex=name), channel


def home(asked: Sequence[Asked]) -> View:
    """What somebody asked for of late, and how it is doing."""
    blocks = [section(markup("*Your downloads*"))]
    for each in asked:
        blocks.append(section(markup(f"{title_of(each.view)}\n{state_of(each.view)}")))
        blocks += actions(_buttons(each))
    if not asked:
        blocks.append(section(plain(NOTHING_YET)))
    hint = named(f"Send me a link here under Messages, mention @{NAME} in a channel, or type /help")
    return {"type": "home", "blocks": [*blocks, context(plain(hint))]}


def _buttons(asked: Asked) -> list[Block | None]:
    name, view = asked.request.id.hex, asked.view
    if view.state.is_active:
        return [button("Cancel", f"cancel:{name}", style="danger")]
    main = main_artifact(view)
    if main is None:
        return []
    return [
        button("Open", f"open:{name}:0", url=view.watch_url or main.url),
        button("Download", f"open:{name}:1", url=main.download_url),
    ]


def _modal(callback: str, title: str, send: str, blocks: list[Block], note: str = "") -> View:
    return {
        "type": "modal",
        "callback_id": callback,
        "title": plain(title),
        "submit": plain(send),
        "close": plain("Cancel"),
        "private_metadata": note,
        "blocks": blocks,
    }


def _input(name: str, label: str, element: Block, *, optional: bool = False) -> Block:
    return {
        "type": "input",
        "block_id": name,
        "label": plain(label),
        "element": {**element, "action_id": "value"},
        "optional": optional,
    }


def _select(choices: Sequence[tuple[str, str]], first: str) -> Block:
    options = [{"text": plain(label), "value": str(value)} for value, label in choices]
    initial = next(option for option in options if option["value"] == first)
    return {"type": "static_select", "options": options, "initial_option": initial}


def _conversation(label: str) -> Block:
    """A channel; the one that is being looked at, unless another is chosen."""
    chosen = {
        "type": "conversations_select",
        "default_to_current_conversation": True,
        "response_url_enabled": True,
    }
    return _input("where", label, chosen)
