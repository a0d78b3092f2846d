"""A message of the bot as a person sees it now, and the buttons under it."""

from dataclasses import dataclass
from typing import Any

from tests.telegram.files import KINDS, Media, Shelf
from tests.telegram.html import to_html


@dataclass(frozen=True)
class Button:
    """A button with its label, and what it sends or opens."""

    label: str
    data: str | None = None
    url: str | None = None


@dataclass(frozen=True)
class Shown:
    """One state of a message. `text` is the caption when there is media; `body` is the Bot API's object."""

    message_id: int
    text: str
    html: str
    buttons: list[list[Button]]
    media: Media | None
    reply_to: int | None
    thread: int | None
    body: dict[str, Any]

    @property
    def labels(self) -> list[str]:
        """The labels of all buttons, row by row."""
        return [button.label for row in self.buttons for button in row]

    def button(self, label: str) -> Button:
        """The button with this label; a test that names another one is wrong."""
        for row in self.buttons:
            for button in row:
                if button.label == label:
                    return button
        raise AssertionError(f"no button {label!r} under {self.text!r}; there are {self.labels}")

    def __str__(self) -> str:
        media = f" [{self.media.kind} {self.media.name} {self.media.size} B]" if self.media else ""
        return f"#{self.message_id}{media} {self.text!r} {self.labels}"


def show(body: dict[str, Any], files: Shelf) -> Shown:
    """The message as people see it."""
    text = body.get("text", body.get("caption", ""))
    entities = body.get("entities", body.get("caption_entities", []))
    rows = body.get("reply_markup", {}).get("inline_keyboard", [])
    replied = body.get("reply_to_message")
    return Shown(
        message_id=body["message_id"],
        text=text,
        html=to_html(text, entities),
        buttons=[
            [Button(one["text"], one.get("callback_data"), one.get("url")) for one in row] for row in rows
        ],
        media=media_of(body, files),
        reply_to=replied["message_id"] if replied else None,
        thread=body.get("message_thread_id"),
        body=body,
    )


def media_of(body: dict[str, Any], files: Shelf) -> Media | None:
    """The file in a message."""
    for kind in KINDS:
        if kind in body:
            described = body[kind][-1] if kind == "photo" else body[kind]
            return files[described["file_id"]]
    return None
