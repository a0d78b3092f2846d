"""Where a running job is, told to the job row (for /status and restarts) and to watchers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self
from uuid import UUID

from sqlalchemy.exc import SQLAlchemyError

from shared import jobs, tracing
from shared.database import Database
from shared.jobs import Fence
from shared.metrics import STAGE_SECONDS
from shared.models import Stage
from worker.child.protocol import Progress

log = logging.getLogger(__name__)

ROW_INTERVAL = 1.0  # seconds between two writes of the job row: what a terminal elsewhere sees moving
FIRST_ROW = 0.3  # seconds before the first one: a job that is done by then never needs any
EVENT_INTERVAL = 0.5  # seconds between two events for watchers


class Reporter:
    """Keeps the newest progress and writes it at its own pace: latest wins, and nothing waits for it.

    Used as a context manager: a task inside writes while the attempt works. When the fence says that the job
    belongs to somebody else, that task raises LeaseLost and so ends the attempt.
    """

    def __init__(
        self, fence: Fence, database: Database, publish: Callable[[UUID, dict[str, object]], Awaitable[None]]
    ) -> None:
        self._fence = fence
        self._database = database
        self._publish = publish
        self._stage = Stage.PROBE
        self._entered: float | None = None  # when the stage began, by the monotonic clock
        self._end_span: Callable[[BaseException | None], None] = tracing.ignored
        self._progress: dict[str, Any] | None = None
        self._fetched = 0  # bytes of media
        self._changed = asyncio.Event()
        self.silence = asyncio.Lock()  # whoever holds it sees no row written meanwhile
        self._group = asyncio.TaskGroup()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        self._task = self._group.create_task(self._write_changes())
        return self

    async def __aexit__(self, *exc_info: Any) -> None:
        try:
            async with self.silence:  # a transaction cut short can leave the database locked for a while
                pass
        finally:  # whoever is cancelled while waiting for that must not leave a writer behind
            self.end(exc_info[1])
            await self._group.__aexit__(*exc_info)

    def end(self, error: BaseException | None = None) -> None:
        """Write nothing more. `error` is what ended the stage."""
        self._leave_stage(error)
        if self._task is not None:
            self._task.cancel()

    async def enter(self, stage: Stage) -> None:
        """A new stage begins."""
        self._leave_stage()
        self._entered = time.monotonic()
        self._end_span = tracing.begin(stage, stage=stage)
        self._stage, self._progress = stage, None
        self._changed.set()

    def _leave_stage(self, error: BaseException | None = None) -> None:
        if self._entered is not None:
            self._end_span(error)
            STAGE_SECONDS.labels(self._stage.value).observe(time.monotonic() - self._entered)
            self._entered = None

    def downloaded(self, progress: Progress) -> None:
        """How far the download is."""
        self._progress = progress.model_dump(exclude={"type", "arrived"}, exclude_none=True)
        self._fetched = max(self._fetched, progress.done)
        self._changed.set()

    def converted(self, fraction: float) -> None:
        """How far ffmpeg is, from 0 to 1; or whoever translates, listens or stores."""
        self._progress = {"fraction": round(fraction, 4)}
        self._changed.set()

    async def _write_changes(self) -> None:
        row_due, is_owed = time.monotonic() + FIRST_ROW, False
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, row_due - time.monotonic()) if is_owed else None):
                    await self._changed.wait()
            if self._changed.is_set():
                self._changed.clear()
                is_owed = True
                await self._tell_watchers()
            if is_owed and time.monotonic() >= row_due:
                is_owed = not await self._write_row()
                row_due = time.monotonic() + ROW_INTERVAL
            await asyncio.sleep(EVENT_INTERVAL)

    async def _tell_watchers(self) -> None:
        try:
            await self._publish(self._fence.job_id, {"stage": self._stage, **(self._progress or {})})
        except Exception as error:
            log.warning("the watchers could not be told: %s", error)

    async def _write_row(self) -> bool:
        """Whether the row has it now. Raises LeaseLost."""
        try:
            async with self.silence, self._database.write() as session:
                await jobs.report(session, self._fence, self._stage, self._progress, self._fetched)
        except (SQLAlchemyError, OSError) as error:  # the heartbeat decides how long an outage may last
            log.warning("the progress was not written: %s", error)
            return False
        return True
