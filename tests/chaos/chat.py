"""A chat platform of our own, for these tests only: it is strict, and keeps what every message ever showed.

`ChatServer` runs beside the checker; `ChatClient` is the `MessageClient` of the processes under test. They
speak JSON lines, one call a connection. Like the real platforms it knows no idempotency key: a post that
is repeated is a second message.
"""

import asyncio
import json
import os
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from shared.chat import MessageGone
from shared.models import Request
from shared.results import JobView

LOOPBACK = "127.0.0.1"
PLATFORM = "chaos"
PORT_VARIABLE = "CHAOS_CHAT_PORT"


class Mood(StrEnum):
    """What the server does with calls."""

    UP = "up"
    DOWN = "down"  # nothing is applied, the connection breaks
    DROPS = "drops"  # calls are applied, but the connection breaks instead of an answer


@dataclass(frozen=True)
class Shown:
    """What a message showed; `is_final` when it is the end of a request."""

    text: str
    is_final: bool


@dataclass
class Message:
    """A message and its history, oldest first; an edit that changed nothing is counted, not kept."""

    request: str
    shown: list[Shown] = field(default_factory=list)
    repeated: int = 0


class ChatServer:
    """Messages by reference. Use as `async with`."""

    def __init__(self) -> None:
        self.mood = Mood.UP
        self.messages: dict[str, Message] = {}
        self.edits = 0
        self.dropped = 0
        self.wrongs: list[str] = []  # calls that no real platform would take
        self.port = 0
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> "ChatServer":
        self._server = await asyncio.start_server(self._serve, LOOPBACK, 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if line and self.mood is not Mood.DOWN:
                call = json.loads(line)
                answer = self._apply(call)
                if self.mood is Mood.DROPS:
                    self.dropped += 1
                else:
                    writer.write(json.dumps(answer).encode() + b"\n")
                    await writer.drain()
        except OSError:
            pass  # the caller was killed
        finally:
            writer.close()

    def _apply(self, call: dict[str, Any]) -> dict[str, Any]:
        shown = Shown(call["text"], call["is_final"])
        reference = call["message"]
        if reference is None:
            reference = f"message-{len(self.messages) + 1}"
            self.messages[reference] = Message(call["request"], [shown])
            return {"message": reference}
        self.edits += 1
        message = self.messages.get(reference)
        if message is None or message.request != call["request"]:
            self.wrongs.append(f"an edit of {reference} for request {call['request']}")
            return {"error": "gone"}
        if message.shown[-1] == shown:
            message.repeated += 1
            return {"error": "not modified"}
        message.shown.append(shown)
        return {"message": reference}


class ChatClient:
    """A `MessageClient` for `ChatServer`."""

    def __init__(self) -> None:
        self._port = int(os.environ[PORT_VARIABLE])

    async def post(self, request: Request, view: JobView) -> str:
        """Show the view in a new message."""
        return await self.say(request, None, text_of(view), is_final=not view.state.is_active)

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """Make the message show the view."""
        await self.say(request, message, text_of(view), is_final=not view.state.is_active)

    async def say(self, request: Request, message: str | None, text: str, *, is_final: bool) -> str:
        """One call. Raises MessageGone, or ConnectionError when there was no answer."""
        reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
        try:
            call = {"request": str(request.id), "message": message, "text": text, "is_final": is_final}
            writer.write(json.dumps(call).encode() + b"\n")
            answer = await reader.readline()
        finally:
            writer.close()
        if not answer:
            raise ConnectionError("the chat did not answer")
        found = json.loads(answer)
        if found.get("error") == "gone":
            raise MessageGone
        return str(found.get("message", message))


def text_of(view: JobView) -> str:
    """What a person reads; signed links differ each time they are made, so files stand for them."""
    if view.error is not None and not view.state.is_active:
        return f"{view.state}: {view.error.message}"
    files = sorted(f"{artifact.kind} {artifact.file_name} {artifact.sha256}" for artifact in view.artifacts)
    return "\n".join([f"{view.state}: {view.title}", view.note or "", *files])
