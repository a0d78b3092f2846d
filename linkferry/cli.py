"""The command line.

Each command imports what it needs by itself: `--help` must not wait for a web framework or a database.
"""

import os
import signal
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn
from uuid import UUID

import typer
from typer.core import TyperGroup

from linkferry.output import OutputLost, watch_stdout
from shared.errors import ConfigError
from shared.options import MediaFormat, Quality
from shared.states import JobState
from shared.tracing import end_tracing, set_up_tracing

if TYPE_CHECKING:
    from shared.settings import Settings


class Commands(TyperGroup):
    """Says the one word also when Ctrl-C comes so early that a command still imports."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:  # the caller makes it exit code 130
            typer.echo("Cancelled.", err=True)
            raise


app = typer.Typer(
    cls=Commands,
    help="Send a link; Linkferry carries back the video, the audio or the transcript.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

jobs_app = typer.Typer(help="Look at jobs, and put them right.", no_args_is_help=True)
app.add_typer(jobs_app, name="jobs")
storage_app = typer.Typer(help="Look at what is stored, and clear up.", no_args_is_help=True)
app.add_typer(storage_app, name="storage")

BROKEN = 1
MISCONFIGURED = 2
SUBS = "Caption languages: en,de; translated: 'en to spanish'; what is heard: speech."
DATABASES = ("sqlite+aiosqlite://", "postgresql+asyncpg://")


@app.command()
def up() -> None:
    """Run everything in one process: the chat platforms that have a token, the web endpoint, the worker."""
    import uvloop

    from linkferry import serve

    settings = load_settings(for_logs=True, fetches=True)
    finish(lambda: serve.up(settings), uvloop.run)


@app.command()
def web() -> None:
    """Run the web endpoint alone: signed links keep answering while no worker runs."""
    import uvloop

    from linkferry import serve

    settings = load_settings(for_logs=True)
    finish(lambda: serve.web(settings), uvloop.run)


@app.command()
def bots() -> None:
    """Run the chat platforms that have a token; they hand everything on to workers."""
    import uvloop

    from linkferry import serve

    settings = load_settings(for_logs=True)
    finish(lambda: serve.bots(settings), uvloop.run)


@app.command()
def worker() -> None:
    """Run a worker alone. With RabbitMQ and PostgreSQL, any number of them, on any number of machines."""
    import uvloop

    from linkferry import serve

    settings = load_settings(for_logs=True, fetches=True)
    finish(lambda: serve.worker(settings), uvloop.run)


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    from linkferry.compose import open_parts

    settings = load_settings()

    async def run() -> int:
        async with open_parts(settings, patience=0):  # opening brings the schema up to date
            typer.echo("The database is up to date.")
        return 0

    finish(run)


@app.command()
def get(
    link: Annotated[str, typer.Argument(help="The link of a page that plays a video or audio.")],
    quality: Annotated[Quality, typer.Option(help="This height, or the best below it.")] = Quality.P1080,
    media_format: Annotated[MediaFormat, typer.Option("--format", help="The container.")] = MediaFormat.MP4,
    clip: Annotated[str | None, typer.Option(help="A part only, such as 1:20-2:05.")] = None,
    subs: Annotated[str | None, typer.Option(help=SUBS)] = None,
    output: Annotated[Path | None, typer.Option(help="Also put the files into this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fetch one link, with a live status line. Hands it to the running service, or carries it itself."""
    from linkferry import carry

    settings = load_settings(fetches=True)
    set_up_tracing(settings)
    asked = carry.Asked(link, quality, media_format, clip, subs, output, as_json)
    finish(lambda: carry.get(settings, asked))


@jobs_app.command("list")
def jobs_list(
    state: Annotated[JobState | None, typer.Option(help="Only jobs in this state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many.")] = 20,
) -> None:
    """The newest jobs, one a line."""
    from linkferry import operate

    settings = load_settings()
    finish(lambda: operate.list_jobs(settings, state, limit))


@jobs_app.command("show")
def jobs_show(job_id: UUID) -> None:
    """Everything about one job, with its links."""
    from linkferry import operate

    settings = load_settings()
    finish(lambda: operate.show_job(settings, job_id))


@jobs_app.command("retry")
def jobs_retry(job_id: UUID) -> None:
    """Start a failed or cancelled job anew."""
    from linkferry import operate

    settings = load_settings()
    finish(lambda: operate.retry_job(settings, job_id))


@jobs_app.command("cancel")
def jobs_cancel(job_id: UUID) -> None:
    """Cancel a job for everybody who waits for it."""
    from linkferry import operate

    settings = load_settings()
    finish(lambda: operate.cancel_job(settings, job_id))


@storage_app.command("report")
def storage_report(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """How much is kept, for whom and until when; how much room there is; what is left over."""
    from linkferry import storage

    settings = load_settings()
    finish(lambda: storage.report(settings, as_json=as_json))


@storage_app.command("sweep")
def storage_sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Delete what is left over, as workers do by themselves; safe while they run."""
    from linkferry import storage

    settings = load_settings()
    finish(lambda: storage.run_sweep(settings, dry_run=dry_run))


@storage_app.command("revoke")
def storage_revoke(job_id: UUID) -> None:
    """Delete a job's files before their time, or cancel it: its links lead nowhere from then on."""
    from linkferry import storage

    settings = load_settings()
    finish(lambda: storage.revoke(settings, job_id))


@app.command()
def dead(
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the messages that nobody could read.")
    ] = False,
) -> None:
    """Jobs that brought down too many workers, and messages that no worker could read."""
    from linkferry import operate

    settings = load_settings()
    finish(lambda: operate.dead(settings, purge=purge))


@app.command("slack-manifest")
def slack_manifest(
    http: Annotated[bool, typer.Option("--http", help="For HTTP mode instead of Socket Mode.")] = False,
) -> None:
    """Print the manifest that makes a Slack app out of this installation: paste it at api.slack.com/apps."""
    from bots.slack.manifest import as_yaml, manifest

    settings = load_settings(check_folder=False)
    is_posted = http or settings.slack_client_id
    if is_posted and not settings.effective_public_url.startswith("https://"):
        raise ConfigError("Slack wants an address with https in this manifest: set LINKFERRY_PUBLIC_URL.")
    typer.echo(as_yaml(manifest(settings, http=http)), nl=False)


@app.command("doctor")
def run_doctor(
    set_lifecycle: Annotated[
        bool, typer.Option(help="First give the S3 bucket the rule that deletes leftovers.")
    ] = False,
) -> None:
    """Check everything Linkferry depends on, and say what to do."""
    from linkferry import doctor

    settings = load_settings(check_folder=False)
    finish(lambda: doctor.run(settings, set_lifecycle=set_lifecycle))


@app.command()
def health(
    ready: Annotated[bool, typer.Option("--ready", help="Also: can it do its work?")] = False,
) -> None:
    """Ask the process on this machine whether it lives; exits with 0 or 1, for containers."""
    from linkferry import alive

    alive.answer(ready=ready)


def load_settings(*, for_logs: bool = False, check_folder: bool = True, fetches: bool = False) -> "Settings":
    """The settings, or a sentence per wrong variable and exit 2. `for_logs` sets the logging up with them.

    `fetches`: what the command carries may need cookies. Raises ConfigError, too.
    """
    from pydantic import ValidationError

    from shared.settings import PREFIX, Settings

    try:
        settings = Settings()
    except ValidationError as error:
        for problem in error.errors(include_url=False, include_input=False):
            name = "_".join(str(part) for part in problem["loc"][:1]).upper()
            about = f"{PREFIX}{name}: " if name else ""  # a sentence about several names them itself
            complain(f"{about}{problem['msg'].removeprefix('Value error, ')}.")
        sys.exit(MISCONFIGURED)
    if settings.database_url and not settings.database_url.startswith(DATABASES):
        raise ConfigError(f"{PREFIX}DATABASE_URL must start with {' or '.join(DATABASES)}.")
    if check_folder:
        check_data_folder(settings.data_dir)
    if fetches:
        settings.read_cookies()
    if for_logs:
        from shared.telemetry import set_up_logging

        set_up_logging(settings)
        set_up_tracing(settings)
    return settings


def check_data_folder(folder: Path) -> None:
    """Make the folder when it is missing. Raises ConfigError when nothing can be written there."""
    from shared import space

    try:
        space.try_writing(folder)
    except OSError as error:
        raise ConfigError(
            f"I cannot write into the data folder {folder.absolute()} ({error.strerror}). "
            "Allow it, or set LINKFERRY_DATA_DIR."
        ) from error


def finish(
    command: Callable[[], Coroutine[Any, Any, int]],
    run: Callable[[Coroutine[Any, Any, int]], int] | None = None,
) -> NoReturn:
    """Run a command to its end and exit with its code."""
    import asyncio
    import logging

    try:
        sys.exit((run or asyncio.run)(command()))
    except OutputLost:
        raise
    except Exception as error:
        if mistake := config_error(error):
            raise mistake from error
        logging.getLogger("linkferry").critical("ended by an error", exc_info=error)
        sys.exit(BROKEN)
    finally:
        end_tracing()


def config_error(error: BaseException) -> ConfigError | None:
    """What is wrong with the installation, when that is among what was raised; groups are searched."""
    if isinstance(error, BaseExceptionGroup):
        return next((found for inner in error.exceptions if (found := config_error(inner))), None)
    return error if isinstance(error, ConfigError) else None


def complain(sentence: str) -> None:
    """One sentence on stderr."""
    typer.echo(f"linkferry: {sentence}", err=True)


def main() -> None:
    """The entry point: what the installation got wrong is one sentence, not a traceback."""
    watch_stdout()
    try:
        app()
    except ConfigError as error:
        complain(str(error))
        sys.exit(MISCONFIGURED)
    except OutputLost as lost:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is still to be flushed
        if lost.nobody_reads:
            sys.exit(128 + signal.SIGPIPE)  # as programs that the signal ends
        complain(str(lost))
        sys.exit(BROKEN)
