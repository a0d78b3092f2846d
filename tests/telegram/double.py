"""Our own double of Telegram's Bot API server, for what cannot run here.

It is not Telegram: it is what Telegram documents and what its published server does, as far as this
project uses it, and stricter where a bot that gets away with something here would fail there. It keeps
no secrets, has one bot, and runs on loopback on the loop of the test:

    async with TelegramDouble() as telegram:
        bot = Bot(telegram.token, base_url=f"{telegram.url}/bot", base_file_url=f"{telegram.url}/file/bot")

People and their chats are in people.py, the rules in contents.py, html.py and limits.py.
"""

import asyncio
import contextlib
import socket
import time
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from tests.telegram import carrying, managing, speaking
from tests.telegram.call import Call, read_call
from tests.telegram.faults import Fault, Faults
from tests.telegram.files import Shelf
from tests.telegram.limits import Limits
from tests.telegram.methods import METHODS
from tests.telegram.people import Group, Press, Private
from tests.telegram.refusal import Refused
from tests.telegram.rooms import Rooms, User
from tests.telegram.updates import Update, Updates

__all__ = ["TelegramDouble", "carrying", "managing", "speaking"]

TOKEN = "7000000000:AAHdouble-token-of-the-tests-0000000"
MEGABYTE = 1024 * 1024


class TelegramDouble:
    """The server with its one bot, its people and their chats.

    `clock` gives Unix seconds and rules every date, rate limit and expiry; `max_upload` is in bytes;
    `limits` False switches rate limits off; `allow_http` and `allow_local_urls` permit a webhook without
    TLS and buttons that lead to this machine; `local` behaves as a server in local mode.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], float] = time.time,
        token: str = TOKEN,
        max_upload: int | None = None,
        limits: bool = True,
        allow_http: bool = False,
        allow_local_urls: bool = False,
        local: bool = False,
    ) -> None:
        self.clock = clock
        self.token = token
        self.allow_http = allow_http or local
        self.allow_local_urls = allow_local_urls
        self.callback_patience = 30.0
        self.calls: list[Call] = []
        self.commands: dict[tuple[str, str], list[dict[str, Any]]] = {}
        self.presses: dict[str, Press] = {}
        self.faults = Faults()
        self.limits = Limits(clock, enabled=limits)
        self.files = Shelf(max_upload=max_upload or (2000 if local else 50) * MEGABYTE, local=local)
        self.rooms = Rooms(clock, self.changed)
        self.updates = Updates(clock)
        self.me = User(int(token.partition(":")[0]), "Linkferry", "linkferry_bot", is_bot=True)
        self.rooms.users[self.me.id] = self.me
        self.bugs: list[str] = []  # errors of the double itself, shown when it closes
        self._waiters: set[asyncio.Future[None]] = set()
        self._closing = asyncio.Event()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash."""
        return f"http://127.0.0.1:{self.port}"

    # people

    def user(
        self, first_name: str, *, username: str = "", language_code: str = "en", is_bot: bool = False
    ) -> User:
        """Somebody new."""
        return self.rooms.add_user(first_name, username, language_code, is_bot)

    def private(self, user: User) -> Private:
        """The chat of a person with the bot; the person has pressed Start."""
        return Private(self, self.rooms.open("private", user.first_name, user.id), [user])

    def group(
        self,
        title: str,
        *members: User,
        admins: tuple[User, ...] | list[User] = (),
        is_forum: bool = False,
        basic: bool = False,
        bot_is_admin: bool = False,
    ) -> Group:
        """A supergroup with the bot in it; `basic` makes the old kind, which can become a supergroup."""
        assert members or admins, "a group has somebody in it"
        room = self.rooms.open("group" if basic else "supergroup", title)
        room.is_forum = is_forum
        room.bot_status = "administrator" if bot_is_admin else "member"
        room.members = {one.id: "member" for one in members} | {one.id: "administrator" for one in admins}
        return Group(self, room, list(dict.fromkeys([*members, *admins])))

    # what tests ask for

    def repeat(self, update: Update | None) -> None:
        """Deliver an update once more, with the same update_id."""
        assert update is not None, "the bot never got that update"
        self.updates.repeat(update)

    def fail_next(self, method: str, *statuses: int, **how: Any) -> None:
        """See `Faults.fail_next`."""
        self.faults.fail_next(method, *statuses, **how)

    def apply_then_drop(self, method: str) -> None:
        """See `Faults.apply_then_drop`."""
        self.faults.apply_then_drop(method)

    def hang_next(self, method: str, **how: Any) -> None:
        """See `Faults.hang_next`."""
        self.faults.hang_next(method, **how)

    def made(self, *methods: str) -> list[Call]:
        """The calls of these methods so far, refused ones too; all calls without a name."""
        names = {one.lower() for one in methods}
        return [one for one in self.calls if not names or one.method.lower() in names]

    @property
    def too_many(self) -> int:
        """How often a rate limit refused a call."""
        return self.limits.refusals

    def changed(self) -> None:
        """Something people can see is different."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(
        self,
        fits: Callable[[], bool],
        patience: float = 20,
        otherwise: str | Callable[[], str] = "it never came",
    ) -> None:
        """Wait until it is so, `patience` seconds at most."""
        end = time.monotonic() + patience
        while not fits():
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            await asyncio.wait([waiter], timeout=left)
            self._waiters.discard(waiter)

    # the server

    async def __aenter__(self) -> Self:
        routes = [
            Route("/bot{token}/{method}", self._method, methods=["GET", "POST"]),
            Route("/file/bot{token}/{path:path}", self._file),
        ]
        config = uvicorn.Config(
            Starlette(routes=routes),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            ws="none",
        )
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup([self._socket])
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        await self.updates.close()
        for server in self._server.servers:
            server.close()
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()
        tasks = list(self._server.server_state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not self.bugs, "the double itself failed:\n" + "\n".join(self.bugs)

    async def _method(self, request: Request) -> Response:
        token, name = request.path_params["token"], request.path_params["method"]
        if token != self.token:
            looks_right = token.partition(":")[0].isdigit() and ":" in token
            return _refused(Refused(401, "Unauthorized") if looks_right else Refused(404, "Not Found"))
        try:
            call = await read_call(request, name)
        except ClientDisconnect:
            return Response(status_code=400)
        call.time = self.clock()
        self.calls.append(call)
        fault = self.faults.take(name)
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
            self.bugs.append(f"{name} {call.parameters}\n{traceback.format_exc()}")
            return _refused(Refused(500, "Internal Server Error: the double has a bug"))
        return JSONResponse({"ok": True, "result": call.result})

    async def _run(self, call: Call, request: Request) -> Any:
        function = METHODS.get(call.method.lower())
        if function is None:
            raise Refused(404, "Not Found: method not found")
        return await function(self, call)

    async def _meet(self, fault: Fault, call: Call, request: Request) -> None:
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
        if request.path_params["token"] != self.token:
            return _refused(Refused(401, "Unauthorized"))
        try:
            media = self.files[request.path_params["path"].rpartition("/")[2]]
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
