"""The web endpoint: signed files, watch pages, the API, health. Built of its parts; starts nothing itself."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import select

from bots.follow import Follower
from bots.intake import Intake
from bots.web.api import api_router
from bots.web.assets import Assets
from bots.web.files import FindArtifact, ServedFile, files_router
from bots.web.monitoring import monitoring_router
from bots.web.watch import watch_router
from shared.database import Database, db_now
from shared.links import Links
from shared.models import Artifact
from shared.monitor import Monitor
from shared.queue import Queue
from shared.settings import Settings
from shared.storage import Storage

ABOUT = """Send a link; Linkferry carries back the video, the audio or the transcript.

1. `POST /api/requests` with the text a person would send: the answer names a job.
2. `GET /api/jobs/{job_id}` until `state` is `done`, `failed` or `cancelled`; or follow it on the WebSocket
   `/api/jobs/{job_id}/events`, which sends the same object on every change and closes at the end.
3. Fetch the `url` of each artifact; these links need no key, and expire.

Without `LINKFERRY_API_KEYS` only programs on this machine are answered; with it, send
`Authorization: Bearer KEY`. Every error is a sentence in `detail`."""

WRONG_JSON = 'Send a JSON object such as {"text": "https://..."} with \'Content-Type: application/json\'.'


def create_app(
    settings: Settings,
    database: Database,
    queue: Queue,
    storage: Storage,
    links: Links,
    intake: Intake,
    follower: Follower,
    monitor: Monitor,
) -> FastAPI:
    """The ASGI application."""
    app = FastAPI(
        title="Linkferry",
        description=ABOUT,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)
    app.add_exception_handler(Exception, _say_sorry)
    app.include_router(files_router(links, storage, _finder(database)))
    assets = Assets()
    app.include_router(assets.router())
    app.include_router(watch_router(settings, database, links, storage, assets))
    app.include_router(api_router(settings, database, queue, intake, follower))
    app.include_router(monitoring_router(monitor, public=settings))

    @app.get("/", include_in_schema=False)
    async def home() -> PlainTextResponse:
        """Say what this is."""
        return PlainTextResponse("Linkferry is running. Try: linkferry get LINK\n")

    return app


def _finder(database: Database) -> FindArtifact:
    """What the database knows of an artifact; None also for one whose file was lost."""

    async def find_artifact(artifact_id: UUID) -> ServedFile | None:
        async with database.read() as session:
            known = select(Artifact, Artifact.expires_at <= db_now()).where(Artifact.id == artifact_id)
            found = (await session.execute(known)).one_or_none()
        if found is None:
            return None
        artifact, expired = found
        if artifact.deleted_at is not None and not expired:
            return None
        return ServedFile(
            key=artifact.storage_key,
            file_name=artifact.file_name,
            content_type=artifact.content_type,
            sha256=artifact.sha256,
            size=artifact.size,
            revoked=artifact.revoked_at is not None,
            expired=expired,
        )

    return find_artifact


async def _say_what_is_wrong(_: Request, error: Exception) -> JSONResponse:
    problems = error.errors() if isinstance(error, RequestValidationError) else []
    return JSONResponse({"detail": what_is_wrong(problems)}, 422)


def what_is_wrong(problems: Sequence[Any]) -> str:
    """One sentence for the first thing that is wrong. It never repeats the input, which may be hostile."""
    for problem in problems:
        place, *names = problem["loc"]
        name = str(names[-1]) if names else ""
        if place == "path":
            return f"The address needs a UUID in place of '{name}'."
        if place in ("header", "query"):
            return f"The {place} '{name}' is not right: {problem['msg']}."
    return WRONG_JSON


async def _say_sorry(_: Request, error: Exception) -> JSONResponse:
    """What nobody foresaw: the traceback is in the log, not in the answer."""
    return JSONResponse({"detail": "Something went wrong on my side; the log has the details."}, 500)
