"""A chat that takes its time, in virtual seconds; requests; and views."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

from shared.chat.pace import Pace, Window
from shared.chat.paced import PacedClient
from shared.models import JobState, Request, Stage
from shared.results import JobView
from tests.shared.chat.virtual import virtual_now


def a_request(message: str | None = "m", chat: str = "a") -> Request:
    """Somebody who asked."""
    return Request(
        id=uuid4(), job_id=uuid4(), event_key="e", platform="fake", chat_id=chat, user_id="u",
        status_message=message,
    )  # fmt: skip


def a_view(done: float = 0, state: JobState = JobState.RUNNING, **changes: Any) -> JobView:
    """A job that is so far."""
    view = JobView(
        job_id=UUID(int=1), state=state, stage=Stage.DOWNLOAD, progress={"done": done}, position=None,
        starts_in=None, retry_in=None, title=None, duration_seconds=None, note=None, artifacts=(),
        offers=None, error=None,
    )  # fmt: skip
    return view.model_copy(update=changes)


FINAL = a_view(100, JobState.DONE)


@dataclass
class SlowChat:
    """A `MessageClient` whose calls take `seconds`; the next ones raise `errors` at their end."""

    seconds: float = 1.0
    errors: list[Exception | None] = field(default_factory=list)
    calls: list[tuple[float, str, JobView]] = field(default_factory=list)
    overlaps: int = 0
    _now: Counter[str] = field(default_factory=Counter)

    async def post(self, request: Request, view: JobView) -> str:
        """See `MessageClient.post`."""
        message = f"posted-{len(self.calls)}"
        await self._call(message, view)
        return message

    async def edit(self, request: Request, message: str, view: JobView) -> None:
        """See `MessageClient.edit`."""
        await self._call(message, view)

    async def _call(self, message: str, view: JobView) -> None:
        self.calls.append((virtual_now(), message, view))
        self.overlaps += self._now[message] > 0
        self._now[message] += 1
        try:
            await asyncio.sleep(self.seconds)
            if error := self.errors.pop(0) if self.errors else None:
                raise error
        finally:
            self._now[message] -= 1

    @property
    def states(self) -> list[JobState]:
        """What was shown, oldest first."""
        return [view.state for _, _, view in self.calls]

    @property
    def times(self) -> list[float]:
        """When it was shown, rounded to tenths of a second."""
        return [round(when, 1) for when, _, _ in self.calls]


def paced(chat: SlowChat, *windows: Window, base: float = 3.0) -> PacedClient:
    """A client with the same windows for each chat, on virtual time."""
    return PacedClient(chat, Pace(lambda _: windows, base), virtual_now)
