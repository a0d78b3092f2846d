"""Pieces of Block Kit: plain dictionaries that Slack's API takes, inside its limits. Pure.

`plain` takes any text; what is called `markup` has to be escaped already. All markup is verbatim: otherwise
Slack would look for addresses, channels and people in it by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.chat.slack.text import ELLIPSIS, MAX_URL, cut, foreign, length

Block = dict[str, Any]

MAX_HEADER = 150
MAX_SECTION = 3000
MAX_CONTEXT = 300  # characters that a context line has here; Slack would take 2000
MAX_LABEL = 75  # of a button
MAX_BUTTONS = 25  # in one row of actions
MAX_ALT = 200  # Slack would take 2000
MAX_FALLBACK = 1000  # notifications show less


@dataclass(frozen=True)
class Message:
    """What people see. `text` is for notifications and screen readers, and always there."""

    text: str
    blocks: tuple[Block, ...]

    def simplified(self) -> tuple["Message", ...]:
        """The same, simpler and simpler: as it is, without pictures, and as words alone."""
        kept = [{key: value for key, value in block.items() if key != "accessory"} for block in self.blocks]
        plainer = Message(self.text, tuple(kept))
        words = Message(self.text, (section(markup(self.text)),))
        return (self, words) if plainer == self else (self, plainer, words)


def message(text: str) -> Message:
    """A message that only says something; lines are kept."""
    return Message(cut(text, MAX_FALLBACK) or " ", (section(plain(text)),))


def plain(text: str, limit: int = MAX_SECTION) -> Block:
    """A text object that shows any text as it is; `:words:` in it stay words."""
    return {"type": "plain_text", "text": cut(text, limit) or " ", "emoji": False}


def markup(text: str) -> Block:
    """A text object with Slack's own formatting; `text` is escaped already, and short enough."""
    return {"type": "mrkdwn", "text": text or " ", "verbatim": True}


def header(text: str) -> Block:
    """A title."""
    return {"type": "header", "text": {**plain(" "), "text": foreign(text, MAX_HEADER) or ELLIPSIS}}


def section(text: Block, picture: Block | None = None) -> Block:
    """A paragraph; `picture` beside it."""
    block: Block = {"type": "section", "text": text}
    return block if picture is None else {**block, "accessory": picture}


def context(*texts: Block) -> Block:
    """A small grey line."""
    return {"type": "context", "elements": list(texts)}


def image(url: str, description: str) -> Block:
    """A picture, which Slack itself has to be able to load."""
    return {"type": "image", "image_url": url, "alt_text": foreign(description, MAX_ALT) or "Picture"}


def button(label: str, action_id: str, *, style: str | None = None, url: str | None = None) -> Block | None:
    """A button; None when it should open an address that Slack would not take.

    Slack sends its `action_id` when it is pressed, also when it opened an address.
    """
    block: Block = {"type": "button", "text": plain(label, MAX_LABEL), "action_id": action_id}
    if url is not None:
        if not url.startswith(("http://", "https://")) or length(url) > MAX_URL:
            return None
        block["url"] = url
    return block if style is None else {**block, "style": style}


def actions(buttons: Sequence[Block | None]) -> list[Block]:
    """A row of buttons; nothing where there is none."""
    kept = [each for each in buttons if each is not None][:MAX_BUTTONS]
    return [{"type": "actions", "elements": kept}] if kept else []
