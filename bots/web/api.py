"""The REST API: send the text a person would send in a chat, look at jobs, follow them, cancel them.

Open on loopback only, or to holders of one of `LINKFERRY_API_KEYS`; see `bots.web.guard`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from math import ceil
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Header, HTTPException, Query, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.routing import APIRoute
from pydantic import BaseModel, Field
from starlette.types import Message

from bots.commands import HINT, MAX_FIND_CHARACTERS, MAX_TEXT_BYTES, Get, Subs, parse
from bots.finder import Finder, Seeker
from bots.follow import Follower
from bots.intake import Intake, Origin, Submitted, cancel
from bots.web.guard import guard
from bots.web.search import SearchAnswer, answer
from shared import tracing
from shared.database import Database
from shared.errors import Code, CommandError, JobError
from shared.ids import new_id
from shared.queue import Queue
from shared.results import JobView
from shared.settings import Settings

NO_SUCH_JOB = "There is no job with that id."
MAX_BODY = 8 * MAX_TEXT_BYTES  # JSON may write one character as six, and its frame needs room too
TOO_LONG = f"That body is too long; I read up to {MAX_BODY // 1024} KB. Send fewer links at once."
NOT_A_REQUEST = "Send a link, /get or /subs; jobs are looked at under /api/jobs."


class Ask(BaseModel):
    """What a person would type into a chat."""

    text: str = Field(
        description="A link, or several, or `/get LINK ...`, or `/subs LINK ...`.",
        examples=["https://example.com/watch/1", "/get https://example.com/watch/1 720p subs en,de"],
    )


class Accepted(BaseModel):
    """One request and the job that carries it."""

    request_id: UUID
    job: JobView


class Problem(BaseModel):
    """Why not, in a sentence."""

    detail: str


PROBLEMS = {
    401: "A key is needed, and none of LINKFERRY_API_KEYS was sent.",
    403: "No keys are set, and the caller is not a program on this machine.",
    422: "The input cannot be understood.",
}


def problems(**more: str) -> dict[int | str, dict[str, object]]:
    """The answers besides the good one, for the API's description; `more` is `status_404="..."`."""
    known = PROBLEMS | {int(name.removeprefix("status_")): words for name, words in more.items()}
    return {status: {"model": Problem, "description": words} for status, words in known.items()}


def api_router(
    settings: Settings, database: Database, queue: Queue, intake: Intake, follower: Follower
) -> APIRouter:
    """The routes below /api."""
    api = _Api(database, queue, intake, follower)
    router = APIRouter(prefix="/api", dependencies=[guard(settings)], route_class=_ShortBodies)
    refused = problems(
        status_413="The body is too long.",
        status_429="Enough was fetched for now.",
        status_507="There is no room left to store a request.",
    )
    not_there = problems(status_404=NO_SUCH_JOB)
    not_stopped = problems(status_404=NO_SUCH_JOB, status_507="There is no room left to note it.")
    get, post = router.add_api_route, partial(router.add_api_route, methods=["POST"], status_code=202)
    post("/requests", api.ask, summary="Ask for a link", responses=refused, tags=["requests"])
    get("/search", api.search, summary="Search in what was fetched", responses=problems(), tags=["search"])
    get("/jobs/{job_id}", api.look, summary="Look at a job", responses=not_there, tags=["jobs"])
    post("/jobs/{job_id}/cancel", api.stop, summary="Cancel a job", responses=not_stopped, tags=["jobs"])
    router.add_api_websocket_route("/jobs/{job_id}/events", api.events)
    return router


class _ShortBodies(APIRoute):
    """Reads MAX_BODY bytes at most. FastAPI's own limit would say that in a bare word of its own."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Answers a request, or raises HTTPException."""
        handle = super().get_route_handler()

        async def limited(request: Request) -> Response:
            taken = 0

            async def receive() -> Message:
                nonlocal taken
                message = await request.receive()
                taken += len(message.get("body", b""))
                if taken > MAX_BODY:
                    raise HTTPException(413, TOO_LONG)
                return message

            return await handle(Request(request.scope, receive))

        return limited


class _Api:
    def __init__(self, database: Database, queue: Queue, intake: Intake, follower: Follower) -> None:
        self._database = database
        self._queue = queue
        self._intake = intake
        self._follower = follower
        self._finder = Finder(database, follower)

    async def ask(
        self,
        body: Ask,
        idempotency_key: Annotated[
            str | None,
            Header(max_length=200, description="Any text of yours. The same one twice is one request."),
        ] = None,
    ) -> list[Accepted]:
        """Ask for one or more links; each becomes a request, and a job carries it.

        A job that is active or done for the same link and options is joined, so the answer may be done.
        """
        event = idempotency_key or str(new_id())
        accepted = []
        for number, command in enumerate(understand(body.text)):
            origin = Origin("api", "api", "api", f"api:{event}:{number}")
            submitted = await submit(self._intake, command, origin)
            job = await self._found(submitted.job_id)
            accepted.append(Accepted(request_id=submitted.request_id, job=job))
        return accepted

    async def search(
        self,
        q: Annotated[
            str,
            Query(
                max_length=MAX_FIND_CHARACTERS, description='Words near each other, `"a phrase"`, `begin*`.'
            ),
        ] = "",
    ) -> SearchAnswer:
        """Titles and transcripts of what was asked for through this API; without case and accents."""
        return answer(await self._finder.find(q, Seeker("api", "api", "api", sees_own=True)))

    async def look(self, job_id: UUID) -> JobView:
        """How a job is doing, with fresh links when it is done."""
        return await self._found(job_id)

    async def stop(self, job_id: UUID) -> JobView:
        """Cancel a job for everybody who waits for it. One that has ended stays as it is.

        A running job stops within moments; the answer shows it as it is now.
        """
        view = await self._found(job_id)
        with _refusing():
            await cancel(self._database, self._queue, view.job_id)
        return await self._found(job_id)

    async def events(self, socket: WebSocket, job_id: UUID) -> None:
        """Every change of a job as JSON, the last one when it has ended; then the socket closes."""
        async with aclosing(self._follower.follow(job_id)) as views:
            first = await anext(views, None)
            if first is None:
                raise HTTPException(404, NO_SUCH_JOB)
            await socket.accept()
            await watch(socket, first, views)

    async def _found(self, job_id: UUID) -> JobView:
        view = await self._follower.view(job_id)
        if view is None:
            raise HTTPException(404, NO_SUCH_JOB)
        return view


def understand(text: str) -> list[Get | Subs]:
    """The requests in a text. Raises HTTPException with the sentence a person would get."""
    try:
        commands = parse(text)
    except JobError as error:
        raise HTTPException(422, error.message) from error
    except CommandError as error:
        raise HTTPException(422, str(error).replace(HINT, NOT_A_REQUEST)) from error
    wanted = [command for command in commands if isinstance(command, Get | Subs)]
    if len(wanted) != len(commands):
        raise HTTPException(422, NOT_A_REQUEST)
    return wanted


async def submit(intake: Intake, command: Get | Subs, origin: Origin) -> Submitted:
    """Hand a request in. Raises HTTPException when enough was fetched for now, or there is no room left."""
    with _refusing(), tracing.span("api request", kind="server"):
        return await intake.submit(command.link, command.options, origin)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except JobError as error:
        if error.code is Code.DISK_FULL:
            raise HTTPException(507, error.message) from error
        later = {"Retry-After": str(ceil(error.retry_after or 0))}
        raise HTTPException(429, error.message, later) from error


async def watch(socket: WebSocket, first: JobView, changes: AsyncIterator[JobView]) -> None:
    """Send what the job is, and its changes until it ends or the client leaves."""
    try:
        async with asyncio.TaskGroup() as group:
            leaving = group.create_task(_until_gone(socket))
            await socket.send_text(first.model_dump_json())
            async for view in changes:
                await socket.send_text(view.model_dump_json())
            leaving.cancel()
            await socket.close()
    except* WebSocketDisconnect:
        pass  # the task group has ended the following already


async def _until_gone(socket: WebSocket) -> None:
    """Whatever the client says is ignored; only that it leaves matters."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        pass
    raise WebSocketDisconnect(message.get("code", 1006))
