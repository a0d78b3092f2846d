"""What people see: messages with their buttons, files, modals and Home tabs."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.slack.mrkdwn import read, read_blocks
from tests.slack.rooms import Room, Stored

Body = dict[str, Any]


@dataclass(frozen=True)
class File:
    """A file in a conversation."""

    id: str
    name: str
    title: str
    content: bytes
    thread_ts: str | None
    comment: str
    body: Body

    @property
    def text(self) -> str:
        """The content as text."""
        return self.content.decode()


@dataclass(frozen=True)
class Button:
    """A button with its label, its ids, and what it sends or opens."""

    label: str
    action_id: str
    block_id: str
    value: str | None
    url: str | None
    body: Body


class WithBlocks:
    """Something made of blocks, with buttons in it."""

    body: Body

    @property
    def blocks(self) -> list[Body]:
        """The blocks as the bot sent them, with their ids."""
        return list(self.body.get("blocks") or [])

    @property
    def buttons(self) -> list[Button]:
        """All buttons, from the top."""
        return [
            Button(
                one["text"]["text"],
                one.get("action_id", ""),
                block["block_id"],
                one.get("value"),
                one.get("url"),
                one,
            )
            for block in self.blocks
            for one in elements(block)
            if one.get("type") == "button"
        ]

    @property
    def labels(self) -> list[str]:
        """The labels of all buttons."""
        return [button.label for button in self.buttons]

    def button(self, label: str) -> Button:
        """The button with this label; a test that names another one is wrong."""
        for button in self.buttons:
            if button.label == label:
                return button
        raise AssertionError(f"no button {label!r} in {self.labels}:\n{self}")


@dataclass(frozen=True)
class Message(WithBlocks):
    """One state of a message. `text` is what people read; `fallback` the text beside the blocks.

    `body` is Slack's object; `flags` what it was posted with, `unfurl_links` for one.
    """

    ts: str
    room: Room = field(repr=False)
    text: str
    fallback: str
    thread_ts: str | None
    is_ephemeral: bool
    metadata: Body | None = field(repr=False)
    flags: Body = field(repr=False)
    body: Body = field(repr=False)

    @property
    def channel(self) -> str:
        """The id of the conversation."""
        return self.room.id

    @property
    def user(self) -> str:
        """The id of who wrote it."""
        return str(self.body.get("user"))

    def __str__(self) -> str:
        place = f" in {self.thread_ts}" if self.thread_ts and self.thread_ts != self.ts else ""
        return f"{self.ts}{place} {self.text!r} {self.labels}"


@dataclass(frozen=True)
class View(WithBlocks):
    """A modal or a Home tab as a person sees it now; `errors` stand under fields, by block_id."""

    id: str
    title: str
    text: str
    callback_id: str
    body: Body = field(repr=False)
    errors: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.title}\n{self.text}"


def elements(block: Body) -> Iterator[Body]:
    """What can be used in a block."""
    yield from block.get("elements") or [] if block["type"] == "actions" else []
    for name in ("accessory", "element"):
        if isinstance(block.get(name), dict):
            yield block[name]


def show(room: Room, stored: Stored, name: Callable[[str], str]) -> Message:
    """The message as people see it."""
    body = stored.body
    fallback = read(body.get("text", ""), name)
    return Message(
        ts=stored.ts,
        room=room,
        text=read_blocks(body["blocks"], name) if body.get("blocks") else fallback,
        fallback=fallback,
        thread_ts=body.get("thread_ts"),
        is_ephemeral=stored.ephemeral_for is not None,
        metadata=body.get("metadata"),
        flags=stored.flags,
        body=body,
    )


def show_view(body: Body, errors: dict[str, str], name: Callable[[str], str]) -> View:
    """The view as the person sees it."""
    title = (body.get("title") or {}).get("text", "")
    return View(
        body["id"], title, read_blocks(body["blocks"], name), body.get("callback_id", ""), body, errors
    )
