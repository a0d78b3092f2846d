"""`linkferry get`, composed: hand the link to the service that runs, or carry it in this process."""

import asyncio
import json
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from rich.console import Console

from bots import intake
from bots.commands import Get
from bots.intake import Origin, Submitted
from bots.option_words import read_get_options
from bots.scanner import scan
from bots.terminal import print_result, save_files, say, show_progress
from linkferry.compose import Parts, open_parts, running_worker
from linkferry.signals import stop_on_signal
from shared import jobs, presence, tracing
from shared.beside import beside
from shared.errors import Code, CommandError, ConfigError, JobError
from shared.ids import new_id
from shared.link import parse_link
from shared.models import JobState
from shared.options import MediaFormat, Quality
from shared.results import ErrorView, JobView, error_view
from shared.settings import Settings
from shared.storage import StorageError
from shared.worker_lock import GET, lock_holder, worker_lock

FAILED = 1
CANCELLED = 130
TAKE_OVER_INTERVAL = 1.0  # seconds between two looks whether the other process still carries jobs
COMES_BACK = 30.0  # seconds that a service which stopped has to start again
STOPPED = f"The service has stopped; I carry on by myself if it is not back in {COMES_BACK:.0f} s."
# Seconds between two looks at a job that another process carries. Longer than the pause between two events of
# our own worker, which know more than the job's row: looking in between would make the line jump back.
FOLLOW_INTERVAL = 0.7
STOP_TIME = 5.0  # seconds that whoever carries a cancelled job has to let go of it
CLOSED = "These links answer while 'linkferry up' or 'linkferry web' runs; neither does now."

NOT_UNDERSTOOD = "not_understood"  # a code as those of `shared.errors`, but no job has it
ON_THE_WAY = {"stage", "progress", "position", "starts_in", "retry_in"}  # no fields of a job that has ended

log = logging.getLogger(__name__)


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
    """Carry one link; returns the exit code. Raises ConfigError when the installation is not right."""
    person = Console(stderr=True, highlight=False)
    # The person sees sentences; the worker's causes are the service's business.
    logging.basicConfig(level=logging.CRITICAL)
    me = asyncio.current_task()
    try:
        command = read(asked)
        if asked.output is not None:
            make_folder(asked.output)
        with stop_on_signal(lambda: me and me.cancel()):
            async with open_parts(settings) as parts:
                return await _journey(parts, command, asked, person)
    except (CommandError, JobError) as error:
        return _refused(error, asked, person)
    except asyncio.CancelledError:
        say(person, "Cancelled.")
        return CANCELLED


def read(asked: Asked) -> Get:
    """The words of the command line, read as those of a chat message are. Raises CommandError or JobError."""
    found = scan(asked.link)
    if not found.links:
        raise JobError(Code.INVALID_LINK, "no link")
    if len(found.links) > 1 or found.words:
        raise CommandError("Send exactly one link, in quotes; options such as --quality 720p come after it.")
    link = parse_link(found.links[0])
    words = f"{asked.quality} {asked.media_format}"
    words += f" clip {asked.clip}" if asked.clip is not None else ""
    words += f" subs {asked.subs}" if asked.subs is not None else ""
    return Get(link, read_get_options(words.split()), explicit=True)


def make_folder(folder: Path) -> None:
    """Make the folder for the files now: before an hour of downloading, not after it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"I cannot put files into {folder} ({error.strerror}).") from error


async def _journey(parts: Parts, command: Get, asked: Asked, person: Console) -> int:
    origin = Origin("terminal", "terminal", "terminal", f"terminal:{new_id()}")
    submitting = asyncio.create_task(_submit(parts, command, origin))
    try:
        submitted = await asyncio.shield(submitting)
        view = await parts.follower.view(submitted.job_id)
        if view is not None and view.state.is_active:
            view = await _until_done(parts, submitted, person)
    except asyncio.CancelledError:
        submitted = await submitting
        await _cancel(parts, submitted)  # for the second time, unless it was still being handed in
        if asked.as_json:
            _print_failure(JobState.CANCELLED, JobError(Code.CANCELLED), submitted.job_id)
        raise
    if view is None:
        raise ConfigError("The job vanished from the database; somebody removed it while it was carried.")
    return await _conclude(parts, view, asked, person)


async def _submit(parts: Parts, command: Get, origin: Origin) -> Submitted:
    with tracing.span("linkferry get"):
        return await parts.intake.submit(command.link, command.options, origin)


async def _until_done(parts: Parts, submitted: Submitted, person: Console) -> JobView | None:
    """Show the job until it ends, and see to it that somebody carries it.

    Cancelled, it cancels the job while there is still somebody who can end it well.
    """
    async with _carried(parts, person):
        try:
            return await show_progress(parts.follower.follow(submitted.job_id, FOLLOW_INTERVAL), person)
        except asyncio.CancelledError:
            await _cancel(parts, submitted)
            raise


async def _cancel(parts: Parts, submitted: Submitted) -> None:
    """Give the request up, and wait until whoever carries the job has let go of it."""
    await intake.cancel(parts.database, parts.queue, submitted.job_id, submitted.request_id)
    async with parts.database.read() as session:
        job = await jobs.get(session, submitted.job_id)
    if job is None or not job.cancel_requested:
        return  # somebody else waits for it too
    with suppress(TimeoutError):
        async with asyncio.timeout(STOP_TIME):
            async for _ in parts.follower.follow(submitted.job_id, FOLLOW_INTERVAL):
                pass


@asynccontextmanager
async def _carried(parts: Parts, person: Console) -> AsyncIterator[None]:
    """See to it that somebody works: the process that holds the data folder, or else this one.

    When the other process ends while we wait, this one takes over; from a service only if it stays away, as
    whoever takes over carries everybody's jobs, with its own settings. With a broker, any live worker does.
    """
    folder, clock = parts.settings.data_dir, asyncio.get_running_loop().time

    async def carry_when_nobody_does() -> None:
        patient_until, told = clock(), True
        while True:
            with worker_lock(folder, GET) as held:
                if held:
                    is_service = await _is_carried_elsewhere(parts)
                else:
                    is_service = not lock_holder(folder).startswith(GET)  # another `get` ends with its job
                if is_service:
                    patient_until, told = clock() + COMES_BACK, False
                elif held and not told:
                    say(person, STOPPED)
                    told = True
                if held and clock() >= patient_until:
                    async with running_worker(parts):
                        await asyncio.Event().wait()
            await asyncio.sleep(TAKE_OVER_INTERVAL)

    async with beside(carry_when_nobody_does()):
        yield


async def _conclude(parts: Parts, view: JobView, asked: Asked, person: Console) -> int:
    """Print what came of it, and save the files where they were asked for."""
    if asked.as_json:
        _print_json(_for_programs(view))
    else:
        print_result(view, Console(highlight=False) if view.state is JobState.DONE else person)
    if view.state is not JobState.DONE:
        return CANCELLED if view.state is JobState.CANCELLED else FAILED
    if asked.output is not None:
        await _save(parts, view, asked.output, person)
    if not await asyncio.to_thread(answers, parts.settings.effective_public_url):
        say(person, CLOSED)
    return 0


async def _save(parts: Parts, view: JobView, folder: Path, person: Console) -> None:
    async with parts.database.read() as session:
        job = await jobs.get(session, view.job_id)
    try:
        async for path in save_files(job.artifacts if job else [], parts.storage, folder):
            say(person, f"Saved {path}")
    except (OSError, StorageError, JobError) as error:  # JobError: the disk is full
        raise ConfigError(
            f"I cannot put files into {folder} ({error}); the links still have them."
        ) from error


async def _is_carried_elsewhere(parts: Parts) -> bool:
    if parts.settings.is_embedded:
        return False  # then the lock alone decides
    async with parts.database.read() as session:
        return bool(await presence.alive(session, parts.settings.lease))


def _refused(error: CommandError | JobError, asked: Asked, person: Console) -> int:
    if asked.as_json:
        _print_failure(JobState.FAILED, error, None)
    else:
        say(person, error.message if isinstance(error, JobError) else str(error), "red")
    return FAILED


def _for_programs(view: JobView) -> dict[str, object]:
    return view.model_dump(mode="json", exclude=ON_THE_WAY)


def _print_failure(state: JobState, error: CommandError | JobError, job_id: UUID | None) -> None:
    """The same fields as those of a job that came to an end."""
    if isinstance(error, JobError):
        told = error_view(error.code, error.message)
    else:
        told = ErrorView(code=NOT_UNDERSTOOD, message=str(error), is_passing=False)
    about: dict[str, object] = dict.fromkeys(name for name in JobView.model_fields if name not in ON_THE_WAY)
    about |= {"job_id": job_id and str(job_id), "state": state, "site": "", "artifacts": []}
    _print_json(about | {"error": told.model_dump()})


def _print_json(value: dict[str, object]) -> None:
    """One JSON object for programs, on stdout: in UTF-8 as JSON is, whatever the terminal speaks."""
    line = json.dumps(value, ensure_ascii=False) + "\n"
    sys.stdout.buffer.write(line.encode(errors="backslashreplace"))
    sys.stdout.buffer.flush()


def answers(public_url: str) -> bool:
    """Whether the web endpoint answers under its public address."""
    from urllib.request import ProxyHandler, build_opener  # slow to import, and a refused link needs none

    direct = build_opener(ProxyHandler({}))
    try:
        with direct.open(f"{public_url}/health/live", timeout=2) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):
        return False
