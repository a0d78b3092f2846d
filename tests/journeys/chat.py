"""A chat platform of our own, for tests only: it remembers what people saw, and misbehaves on request."""

import asyncio
import json
import os
from enum import StrEnum
from pathlib import Path
from typing import Any

from shared.chat import MessageGone
from shared.models import JobState, Request
from shared.results import JobView

PLATFORM = "recording"


class Fault(StrEnum):
    """What goes wrong with one call."""

    REFUSED = "refused"  # nothing is shown, an error comes back
    ANSWER_LOST = "answer lost"  # it is shown, but an error comes back
    SILENT = "silent"  # nothing is shown, no answer comes back
    GONE = "gone"  # the message was deleted by the person


class RecordingChat:
    """A `MessageClient`. Every post and edit that people saw is kept, and appended to `path` if given.

    `faults` happen to the next calls, one each.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.faults: list[Fault] = []
        self.calls = 0
        self._shown: list[dict[str, Any]] = []

    async def post(self, request: Request, view: JobView) -> str:
        """Show the view in a new message."""
        message = f"posted-{len(self.shown)}"
        await self._show("post", request, message, view)
        return message

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """Make the message show the view."""
        await self._show("edit", request, message, view)

    async def _show(self, how: str, request: Request, message: str, view: JobView) -> None:
        self.calls += 1
        fault = self.faults.pop(0) if self.faults else None
        if fault is Fault.GONE:
            raise MessageGone
        if fault is Fault.REFUSED:
            raise ConnectionError("the chat refused")
        if fault is Fault.SILENT:
            await asyncio.Event().wait()
        self._remember({"how": how, "request": str(request.id), "message": message, **seen(view)})
        if fault is Fault.ANSWER_LOST:
            raise ConnectionError("the answer was lost")

    def _remember(self, line: dict[str, Any]) -> None:
        self._shown.append(line)
        if self.path is not None:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")
                file.flush()
                os.fsync(file.fileno())

    @property
    def shown(self) -> list[dict[str, Any]]:
        """Everything people saw, oldest first; with a `path`, also what earlier processes showed."""
        if self.path is None:
            return self._shown
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def results(self, request_id: object) -> list[dict[str, Any]]:
        """The distinct results a request got, good or bad: different messages, or different contents."""
        kept = ("message", "state", "title", "note", "error", "artifacts")
        found: dict[str, dict[str, Any]] = {}
        for line in self.shown:
            if line["request"] == str(request_id) and not JobState(line["state"]).is_active:
                result = {name: line[name] for name in kept}
                found.setdefault(json.dumps(result), result)
        return list(found.values())


def seen(view: JobView) -> dict[str, Any]:
    """What a person can tell apart in a view; signed links differ each time they are made."""
    return {
        "state": view.state.value,
        "title": view.title,
        "note": view.note,
        "error": view.error.message if view.error else None,
        "artifacts": [f"{artifact.kind} {artifact.file_name}" for artifact in view.artifacts],
    }
