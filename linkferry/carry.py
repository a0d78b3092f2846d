"""`linkferry get`, composed: hand the link to the service that runs, or carry it in this process."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen
from uuid import UUID

from rich.console import Console
from rich.text import Text

from bots import intake
from bots.commands import Get, parse
from bots.intake import Origin
from bots.terminal import print_result, save_files, show_progress
from linkferry.compose import Parts, open_parts, running_worker
from shared import jobs
from shared.errors import Code, CommandError, ConfigError, JobError
from shared.ids import new_id
from shared.lock import worker_lock
from shared.models import JobState
from shared.options import MediaFormat, Quality
from shared.results import JobView
from shared.settings import Settings

FAILED = 1
CANCELLED = 130
TAKE_OVER_INTERVAL = 1.0  # seconds between two looks whether the other process still carries jobs
FOLLOW_INTERVAL = 0.3  # seconds between two looks at a job that another process carries


@dataclass(frozen=True)
class Asked:
    """The words of one `linkferry get`."""

    link: str
    quality: Quality
    media_format: MediaFormat
    clip: str | None
    subs: str | None
    output: Path | None
    as_json: bool


async def get(settings: Settings, asked: Asked) -> int:
    """Carry one link; returns the exit code."""
    console = Console(stderr=True, highlight=False)
    logging.basicConfig(
        level=logging.CRITICAL
    )  # the person sees sentences; causes are the service's business
    try:
        command = read(asked)
    except (CommandError, JobError) as error:
        return _refused(error, asked, console)
    async with open_parts(settings) as parts:
        origin = Origin("terminal", "terminal", "terminal", f"terminal:{new_id()}")
        submitted = await parts.intake.submit(command.link, command.options, origin)
        try:
            view = await parts.follower.view(submitted.job_id)
            if view is None or view.state.is_active:
                async with _carried(parts):
                    view = await _follow(parts, submitted.job_id, console)
        except asyncio.CancelledError:
            await intake.cancel(parts.database, parts.queue, submitted.job_id, submitted.request_id)
            console.print("Cancelled.")
            return CANCELLED
        return await _conclude(parts, view, asked, console)


def read(asked: Asked) -> Get:
    """The words of the command line, through the same grammar as a chat message."""
    words = [f"/get {asked.link} {asked.quality} {asked.media_format}"]
    words += [f"clip {asked.clip}"] if asked.clip else []
    words += [f"subs {asked.subs}"] if asked.subs else []
    commands = parse(" ".join(words))
    if len(commands) != 1 or not isinstance(commands[0], Get):
        raise CommandError("Send exactly one link.")
    return commands[0]


@asynccontextmanager
async def _carried(parts: Parts) -> AsyncIterator[None]:
    """See to it that somebody works: the process that holds the data folder, or else this one.

    When the other process ends while we wait, this one takes over.
    """

    async def carry_when_nobody_does() -> None:
        while True:
            with worker_lock(parts.settings.data_dir) as held:
                if held:
                    async with running_worker(parts):
                        await asyncio.Event().wait()
            await asyncio.sleep(TAKE_OVER_INTERVAL)

    async with asyncio.TaskGroup() as group:
        carrying = group.create_task(carry_when_nobody_does())
        try:
            yield
        finally:
            carrying.cancel()


async def _follow(parts: Parts, job_id: UUID, console: Console) -> JobView:
    """Show the job until it ends. Ctrl-C and SIGTERM cancel it."""
    me = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: me and me.cancel())
    try:
        view = await show_progress(parts.follower.follow(job_id, FOLLOW_INTERVAL), console)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
    if view is None:
        raise ConfigError("The job vanished from the database.")
    return view


async def _conclude(parts: Parts, view: JobView, asked: Asked, console: Console) -> int:
    if asked.as_json:
        print_json(view)
    else:
        print_result(view, Console(highlight=False) if view.state is JobState.DONE else console)
    if view.state is not JobState.DONE:
        return CANCELLED if view.state is JobState.CANCELLED else FAILED
    if asked.output is not None:
        async with parts.database.read() as session:
            job = await jobs.get(session, view.job_id)
        for path in await save_files(job.artifacts if job else [], parts.storage, asked.output):
            console.print(Text(f"Saved {path}"), soft_wrap=True)
    if not await asyncio.to_thread(answers, parts.settings.effective_public_url):
        console.print("These links answer while 'linkferry up' or 'linkferry web' runs; neither does now.")
    return 0


def _refused(error: CommandError | JobError, asked: Asked, console: Console) -> int:
    message = error.message if isinstance(error, JobError) else str(error)
    if asked.as_json:
        code = error.code if isinstance(error, JobError) else Code.INVALID_LINK
        refusal: dict[str, object] = {
            "job_id": None,
            "state": "failed",
            "title": None,
            "duration_seconds": None,
            "artifacts": [],
        }
        _print_object({**refusal, "error": {"code": code, "message": message}})
    else:
        console.print(Text(message, style="red"))
    return FAILED


def print_json(view: JobView) -> None:
    """One JSON object for programs, on stdout."""
    _print_object(view.model_dump(mode="json", exclude={"stage", "progress", "position", "retry_in"}))


def _print_object(value: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def answers(public_url: str) -> bool:
    """Whether the web endpoint answers under its public address."""
    try:
        with urlopen(f"{public_url}/health/live", timeout=2) as response:  # noqa: S310 - our own setting
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False
