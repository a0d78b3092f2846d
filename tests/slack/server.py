"""The server on loopback: routes, tokens, and what a fault makes of an answer."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from aiohttp import web

from tests.doubles import Fault
from tests.slack import conversing, filing, installing, opening, speaking
from tests.slack.call import Body, Call, read_call
from tests.slack.methods import METHODS, Method
from tests.slack.refusal import Refused

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

__all__ = ["Server", "conversing", "filing", "installing", "opening", "speaking"]


class Server:
    """Answers for a double; `port` is 0 until it is started."""

    def __init__(self, slack: "SlackDouble") -> None:
        self.port = 0
        self._slack = slack
        self._closing = asyncio.Event()

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application(client_max_size=1 << 30)
        app.router.add_route("*", "/api/{method}", self._method)
        app.router.add_get("/link/", self._slack.socket.endpoint)
        app.router.add_post("/upload/v1/{id}", self._upload)
        app.router.add_post("/{kind:commands|actions|app}/{team}/{key}", self._reply)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.05, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def close(self) -> None:
        """Close everything, hanging calls too."""
        self._closing.set()
        await self._runner.cleanup()

    async def _method(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        call = await read_call(request, name)
        call.time = self._slack.clock()
        self._slack.calls.append(call)

        async def work() -> web.Response:
            call.result = await self._run(call)
            headers = {"x-oauth-scopes": ",".join(sorted(call.token.scopes))}
            return web.json_response({"ok": True, **call.result}, headers=headers)

        return await self._serve(name, request, work, call)

    async def _run(self, call: Call) -> Body:
        method = METHODS.get(call.method)
        if method is None:
            raise Refused("unknown_method", req_method=call.method)
        if method.kind != "none":
            self._authorise(call, method)
            self._slack.limits.spend(call.method, call.token.team_id, call.text("channel"))
        return await method.function(self._slack, call)

    def _authorise(self, call: Call, method: Method) -> None:
        if not call.sent_token:
            raise Refused("not_authed")
        token = self._slack.tokens.get(call.sent_token)
        if token is None:
            raise Refused("invalid_auth")
        if token.is_revoked:
            raise Refused("token_revoked")
        if token.expires_at is not None and token.expires_at <= self._slack.clock():
            raise Refused("token_expired")
        if token.kind != method.kind:
            raise Refused("not_allowed_token_type")
        call.token = token
        if method.scope:
            call.require(method.scope)

    async def _upload(self, request: web.Request) -> web.StreamResponse:
        if request.content_type == "multipart/form-data":
            field = (await request.post()).get("filename") or (await request.post()).get("file")
            content = field.file.read() if isinstance(field, web.FileField) else b""
        else:
            content = await request.read()

        async def work() -> web.Response:
            return web.Response(text=filing.receive(self._slack, request.match_info["id"], content))

        return await self._serve("upload", request, work)

    async def _reply(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()

        async def work() -> web.Response:
            self._slack.replies.post(request.match_info["key"], body)
            return web.json_response({"ok": True})

        return await self._serve("response_url", request, work)

    async def _serve(
        self,
        name: str,
        request: web.Request,
        work: Callable[[], Awaitable[web.Response]],
        call: Call | None = None,
    ) -> web.StreamResponse:
        fault = self._slack.faults.take(name)
        try:
            if fault is not None:
                await self._meet(fault, work)
                if request.transport is not None:
                    request.transport.abort()
                return web.Response()
            return await work()
        except Refused as refused:
            if call is not None:
                call.error = refused
            return web.json_response(refused.answer(), status=refused.status, headers=refused.headers)
        except Exception:
            self._slack.bugs.append(f"{name} {call.parameters if call else ''}\n{traceback.format_exc()}")
            return web.json_response({"ok": False, "error": "internal_error"}, status=500)

    async def _meet(self, fault: Fault[Refused], work: Callable[[], Awaitable[web.Response]]) -> None:
        if fault.refusal is not None:
            raise fault.refusal
        if fault.applies:
            await work()
        if fault.hangs:
            await self._closing.wait()
