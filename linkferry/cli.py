"""The command line."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from pydantic import ValidationError
from rich.console import Console

from linkferry import carry, doctor, serve
from linkferry.compose import open_parts
from shared.errors import ConfigError
from shared.options import MediaFormat, Quality
from shared.settings import PREFIX, Settings
from shared.telemetry import set_up_logging

app = typer.Typer(
    help="Send a link; Linkferry carries back the video, the audio or the transcript.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

EXIT_CANCELLED = 130  # what shells report for Ctrl-C


@app.command()
def up() -> None:
    """Run everything in one process: the web endpoint and the worker."""
    settings = load_settings()
    set_up_logging(settings)
    sys.exit(uvloop.run(serve.up(settings)))


@app.command()
def web() -> None:
    """Run the web endpoint alone: signed links keep answering while no worker runs."""
    settings = load_settings()
    set_up_logging(settings)
    sys.exit(uvloop.run(serve.web(settings)))


@app.command()
def migrate() -> None:
    """Bring the database to the schema of this version."""
    settings = load_settings()

    async def run() -> None:
        async with open_parts(settings):  # opening brings the schema up to date
            typer.echo("The database is up to date.")

    asyncio.run(run())


@app.command()
def get(
    link: Annotated[str, typer.Argument(help="The link of a page that plays a video or audio.")],
    quality: Annotated[Quality, typer.Option(help="This height, or the best below it.")] = Quality.P1080,
    media_format: Annotated[MediaFormat, typer.Option("--format", help="The container.")] = MediaFormat.MP4,
    clip: Annotated[str | None, typer.Option(help="A part only, such as 1:20-2:05.")] = None,
    subs: Annotated[str | None, typer.Option(help="Caption languages, such as en,de.")] = None,
    output: Annotated[Path | None, typer.Option(help="Also put the files into this folder.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Fetch one link, with a live status line. Hands it to the running service, or carries it itself."""
    settings = load_settings()
    asked = carry.Asked(link, quality, media_format, clip, subs, output, as_json)
    try:
        code = asyncio.run(carry.get(settings, asked))
    except KeyboardInterrupt:
        code = EXIT_CANCELLED
    sys.exit(code)


@app.command("doctor")
def run_doctor() -> None:
    """Check everything Linkferry depends on, and say what to do."""
    sys.exit(asyncio.run(doctor.run(load_settings(), Console())))


def load_settings() -> Settings:
    """The settings, or a sentence per wrong variable and exit 2."""
    try:
        return Settings()
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(str(part) for part in problem["loc"][:1]).upper()
            complain(f"{PREFIX}{name}: {problem['msg']}.")
    except ConfigError as error:
        complain(str(error))
    sys.exit(2)


def complain(sentence: str) -> None:
    """One sentence on stderr."""
    typer.echo(f"linkferry: {sentence}", err=True)


def main() -> None:
    """The entry point: what the installation got wrong is one sentence, not a traceback."""
    try:
        app()
    except ConfigError as error:
        complain(str(error))
        sys.exit(2)
