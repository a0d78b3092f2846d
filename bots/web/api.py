"""The REST API: send the text a person would send in a chat, look at jobs, follow them, cancel them.

Open on loopback only, or to holders of one of `LINKFERRY_API_KEYS`.
"""

import asyncio
import hmac
import ipaddress
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import APIRouter, Depends, Header, HTTPException, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from pydantic import BaseModel, Field

from bots.commands import Get, Subs, parse
from bots.follow import Follower
from bots.intake import Intake, Origin, cancel
from shared.database import Database
from shared.errors import CommandError, JobError
from shared.ids import new_id
from shared.queue import Queue
from shared.results import JobView
from shared.settings import Settings

FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


class Ask(BaseModel):
    """What a person would type: a link, `/get ...` or `/subs ...`."""

    text: str = Field(max_length=16 * 1024)


class Accepted(BaseModel):
    """One request and the job that carries it."""

    request_id: UUID
    job: JobView


def guard(settings: Settings) -> object:
    """A dependency that lets in key holders; without keys, only programs on this machine."""

    async def check(connection: HTTPConnection) -> None:
        if settings.api_keys:
            if not _has_key(connection, settings.api_keys):
                raise HTTPException(401, "Send one of LINKFERRY_API_KEYS as 'Authorization: Bearer KEY'.")
        elif not _is_local(connection):
            raise HTTPException(403, "The API answers only on this machine until LINKFERRY_API_KEYS is set.")

    return Depends(check)


def _has_key(connection: HTTPConnection, keys: tuple[str, ...]) -> bool:
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    given = key.strip().encode()
    return scheme.lower() == "bearer" and any(hmac.compare_digest(given, known.encode()) for known in keys)


def _is_local(connection: HTTPConnection) -> bool:
    """From this machine, not through a proxy, and not from a web page of another site in a local browser."""
    headers = connection.headers
    if connection.client is None or not _is_loopback(connection.client.host):
        return False
    if any(name in headers for name in FORWARDED):
        return False
    origin = headers.get("origin")
    asked = [f"//{headers.get('host', '')}"] + ([origin] if origin else [])
    return all(_is_loopback(urlsplit(address).hostname or "") for address in asked)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def api_router(
    settings: Settings, database: Database, queue: Queue, intake: Intake, follower: Follower
) -> APIRouter:
    """The routes below /api."""
    router = APIRouter(prefix="/api", dependencies=[guard(settings)])  # type: ignore[list-item]

    @router.post("/requests", status_code=202)
    async def submit(
        ask: Ask, idempotency_key: Annotated[str | None, Header(max_length=200)] = None
    ) -> list[Accepted]:
        """Ask for something. The same `Idempotency-Key` twice is one request."""
        try:
            commands = parse(ask.text)
        except (CommandError, JobError) as error:
            raise HTTPException(422, error.message if isinstance(error, JobError) else str(error)) from error
        event = idempotency_key or str(new_id())
        accepted = []
        for number, command in enumerate(commands):
            if not isinstance(command, Get | Subs):
                raise HTTPException(422, "Send a link, /get or /subs; jobs are looked at under /api/jobs.")
            origin = Origin("api", "api", "api", f"api:{event}:{number}")
            submitted = await intake.submit(command.link, command.options, origin)
            view = await follower.view(submitted.job_id)
            if view is not None:
                accepted.append(Accepted(request_id=submitted.request_id, job=view))
        return accepted

    @router.get("/jobs/{job_id}")
    async def job(job_id: UUID) -> JobView:
        """How a job is doing, with fresh links when it is done."""
        view = await follower.view(job_id)
        if view is None:
            raise HTTPException(404, "There is no job with that id.")
        return view

    @router.post("/jobs/{job_id}/cancel", status_code=202)
    async def stop(job_id: UUID) -> JobView:
        """Cancel a job for everybody who waits for it."""
        await cancel(database, queue, job_id)
        return await job(job_id)

    @router.websocket("/jobs/{job_id}/events")
    async def events(socket: WebSocket, job_id: UUID) -> None:
        """Every change of a job as JSON, the last one when it has ended; then the socket closes."""
        await socket.accept()
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(_notice_close(socket))
                async for view in follower.follow(job_id):
                    await socket.send_text(view.model_dump_json())
                watch.cancel()
            await socket.close()
        except* WebSocketDisconnect:
            pass

    return router


async def _notice_close(socket: WebSocket) -> None:
    while True:
        await socket.receive_text()
