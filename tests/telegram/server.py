"""The double on the wire: requests in, answers out, and the faults between them."""

import asyncio
import contextlib
import socket
import traceback
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.doubles import Fault
from tests.telegram import carrying, managing, speaking  # noqa: F401 -- they fill the table of methods
from tests.telegram.call import Call, read_call
from tests.telegram.methods import METHODS
from tests.telegram.refusal import Refused

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble


class Server:
    """Serves a double on a free loopback port, on the running loop."""

    def __init__(self, telegram: "TelegramDouble") -> None:
        self._telegram = telegram
        self._closing = asyncio.Event()
        # asyncio turns Nagle's delay off (40 ms a call) only for sockets that say they are TCP
        self._socket = socket.socket(proto=socket.IPPROTO_TCP)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        routes = [
            Route("/bot{token}/{method}", self._method, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self._file),
        ]
        self._config = uvicorn.Config(
            Starlette(routes=routes),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
        )
        self._server = uvicorn.Server(self._config)

    async def start(self) -> None:
        """Answer from now on; uvicorn's own `serve` would take the signals of the test run."""
        self._config.load()
        self._server.lifespan = self._config.lifespan_class(self._config)
        await self._server.startup([self._socket])

    async def stop(self) -> None:
        """Close every connection, answered or not."""
        self._closing.set()
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        tasks = list(self._server.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _method(self, request: Request) -> Response:
        token, name = request.path_params["token"], request.path_params["method"]
        if token != self._telegram.token:
            looks_right = token.partition(":")[0].isdigit() and ":" in token
            return _refused(Refused(401, "Unauthorized") if looks_right else Refused(404, "Not Found"))
        try:
            call = await read_call(request, name)
        except ClientDisconnect:
            return Response(status_code=400)
        call.time = self._telegram.clock()
        self._telegram.calls.append(call)
        self._telegram.changed()
        fault = self._telegram.faults.take(name)
        try:
            if fault is not None:
                await self._meet(fault, call, request)
            call.result = await self._run(call, request)
        except Refused as refused:
            call.error = refused
            return _refused(refused)
        except _Dropped:
            return _Nothing()
        except Exception:
            self._telegram.bugs.append(f"{name} {call.parameters}\n{traceback.format_exc()}")
            return _refused(Refused(500, "Internal Server Error: the double has a bug"))
        return JSONResponse({"ok": True, "result": call.result})

    async def _run(self, call: Call, request: Request) -> Any:
        function = METHODS.get(call.method.lower())
        if function is None:
            raise Refused(404, "Not Found: method not found")
        if call.method.lower() != "getupdates":
            return await function(self._telegram, call)
        poll = asyncio.ensure_future(function(self._telegram, call))
        gone = asyncio.create_task(_disconnected(request))
        await asyncio.wait([poll, gone], return_when=asyncio.FIRST_COMPLETED)
        gone.cancel()
        if not poll.done():  # nobody would read what this poll takes
            poll.cancel()
            raise _Dropped
        return poll.result()

    async def _meet(self, fault: Fault[Refused], call: Call, request: Request) -> None:
        if fault.refusal is not None:
            raise fault.refusal
        if fault.applies:
            call.result = await self._run(call, request)
        if fault.hangs:
            await self._hang(request)
        self._abort(request)
        raise _Dropped

    async def _hang(self, request: Request) -> None:
        gone = asyncio.create_task(_disconnected(request))
        closing = asyncio.create_task(self._closing.wait())
        await asyncio.wait([gone, closing], return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, closing):
            task.cancel()

    def _abort(self, request: Request) -> None:
        for connection in list(self._server.server_state.connections):
            if getattr(connection, "client", None) == tuple(request.scope["client"]):
                connection.transport.abort()

    async def _file(self, request: Request) -> Response:
        if request.path_params["token"] != self._telegram.token:
            return _refused(Refused(401, "Unauthorized"))
        try:
            media = self._telegram.files[request.path_params["path"].rpartition("/")[2]]
        except Refused:
            return _refused(Refused(404, "Not Found"))
        return Response(media.content, media_type=media.mime or "application/octet-stream")


class _Dropped(Exception):
    """The connection is closed; nothing may be answered."""


class _Nothing(Response):
    """No answer at all."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send nothing."""


async def _disconnected(request: Request) -> None:
    with contextlib.suppress(Exception):
        while (await request.receive())["type"] != "http.disconnect":
            pass


def _refused(refused: Refused) -> Response:
    return JSONResponse(refused.answer(), status_code=refused.code)
