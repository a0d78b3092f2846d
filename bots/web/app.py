"""The web endpoint: signed files, the REST API, health. Built from its parts; starts nothing by itself."""

from uuid import UUID

from fastapi import FastAPI
from fastapi.responses import JSONResponse, PlainTextResponse
from sqlalchemy import select, text

from bots.follow import Follower
from bots.intake import Intake
from bots.web.api import api_router
from bots.web.files import ServedFile, files_router
from shared.database import Database, db_now
from shared.links import Links
from shared.models import Artifact
from shared.queue import Queue
from shared.settings import Settings
from shared.storage import Storage


def create_app(
    settings: Settings,
    database: Database,
    queue: Queue,
    storage: Storage,
    links: Links,
    intake: Intake,
    follower: Follower,
) -> FastAPI:
    """The ASGI application."""
    app = FastAPI(title="Linkferry", docs_url=None, redoc_url=None, openapi_url="/api/openapi.json")

    async def find_artifact(artifact_id: UUID) -> ServedFile | None:
        async with database.read() as session:
            wanted = select(Artifact).where(Artifact.id == artifact_id, Artifact.deleted_at.is_(None))
            artifact = await session.scalar(wanted.where(Artifact.expires_at > db_now()))
        if artifact is None:
            return None
        return ServedFile(
            key=artifact.storage_key,
            file_name=artifact.file_name,
            content_type=artifact.content_type,
            sha256=artifact.sha256,
            size=artifact.size,
            revoked=artifact.revoked_at is not None,
        )

    app.include_router(files_router(links, storage, find_artifact))
    app.include_router(api_router(settings, database, queue, intake, follower))

    @app.get("/", include_in_schema=False)
    async def home() -> PlainTextResponse:
        """Say what this is."""
        return PlainTextResponse("Linkferry is running. Try: linkferry get LINK\n")

    @app.get("/health/live", include_in_schema=False)
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "ok"}

    @app.get("/health", include_in_schema=False)
    async def ready() -> JSONResponse:
        """The process can do its work: it reaches its database."""
        try:
            async with database.read() as session:
                await session.execute(text("SELECT 1"))
        except Exception as error:
            return JSONResponse({"status": "failing", "database": type(error).__name__}, 503)
        return JSONResponse({"status": "ok", "database": "ok"})

    return app
