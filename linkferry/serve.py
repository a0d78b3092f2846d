"""Running processes: the web endpoint, a worker, or both in one. They end well on SIGTERM and Ctrl-C."""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager

import uvicorn
from fastapi import APIRouter, FastAPI

from bots.web.app import create_app
from bots.web.guard import is_loopback
from bots.web.monitoring import monitoring_app
from linkferry.chats import running_chats, wanted
from linkferry.compose import Parts, delivering, open_parts, running_worker
from linkferry.signals import stop_on_signal
from shared.beside import beside
from shared.chat import MessageClient
from shared.errors import ConfigError
from shared.health import NEEDS
from shared.monitor import Monitor
from shared.settings import Settings
from shared.worker_lock import GET, lock_holder, worker_lock
from worker.room import make_room

log = logging.getLogger(__name__)

GRACE = 3  # seconds that running answers have once the process is asked to stop
LOOK_INTERVAL = 0.2  # seconds between two looks whether a `get` is done; shorter than another `get` takes
MAX_MESSAGE = 64 * 1024  # bytes of one WebSocket message; watchers have nothing to say


async def up(settings: Settings) -> int:
    """Everything in one process, until SIGTERM or Ctrl-C; returns the exit code."""
    return await _run(settings, with_web=True, with_worker=True, with_chats=True)


async def web(settings: Settings) -> int:
    """The web endpoint alone, until SIGTERM or Ctrl-C; returns the exit code."""
    return await _run(settings, with_web=True)


async def worker(settings: Settings) -> int:
    """A worker alone, until SIGTERM or Ctrl-C; returns the exit code."""
    return await _run(settings, with_worker=True)


async def bots(settings: Settings) -> int:
    """The chat platforms that have a token, until SIGTERM or Ctrl-C; returns the exit code."""
    return await _run(settings, with_chats=True)


async def _run(
    settings: Settings, *, with_web: bool = False, with_worker: bool = False, with_chats: bool = False
) -> int:
    me = asyncio.current_task()
    roles = {"web": with_web, "worker": with_worker, "bots": with_chats}
    needs = (NEEDS[role] for role, is_mine in roles.items() if is_mine)
    monitor = Monitor(settings, frozenset[str]().union(*needs))
    try:
        async with AsyncExitStack() as stack:
            stack.enter_context(stop_on_signal(lambda: me and me.cancel()))
            if with_worker and settings.is_embedded:
                command = "linkferry up" if with_web else "linkferry worker"
                await stack.enter_async_context(_holding_folder(settings, command))
                await asyncio.to_thread(make_room, settings)
            # The port comes first: when somebody else has it, nothing has been started that has to end.
            sockets = stack.enter_context(listening(settings)) if with_web else []
            if settings.metrics_port:  # it answers also while the broker is waited for, and to the very end
                await stack.enter_async_context(_monitored(settings, monitor))
            parts = await stack.enter_async_context(open_parts(settings))
            monitor.watch(parts.database, parts.queue, parts.storage)
            deliverer, clients = None, dict[str, MessageClient]()
            if with_worker:
                deliverer = await stack.enter_async_context(running_worker(parts, clients))
            elif not settings.is_embedded:  # else the outbox is for the process that has the queue
                await stack.enter_async_context(beside(parts.outbox.run()))  # requests go on to the broker
            if with_chats and deliverer is None:
                deliverer = await stack.enter_async_context(delivering(parts, clients))
            routers: list[APIRouter] = []
            if with_chats or with_web:
                showing = deliverer if with_chats else None
                routers = await stack.enter_async_context(running_chats(parts, clients, showing))
            serving = _serve(parts, sockets, routers, monitor) if with_web else None
            await (serving or _wait(parts, with_worker=with_worker))
    except asyncio.CancelledError:  # a signal: whatever fails inside arrives as itself
        log.info("stopped")
    return 0


@asynccontextmanager
async def _holding_folder(settings: Settings, command: str) -> AsyncIterator[None]:
    """Hold the data folder's lock while the block runs. A `get` that has it is waited for: its job ends."""
    folder, told = settings.data_dir.resolve(), False
    while True:
        with worker_lock(folder, command) as held:
            if held:
                yield
                return
        holder = lock_holder(folder)
        if not holder.startswith(GET):
            raise ConfigError(
                f"Another linkferry carries jobs in {folder}: {holder or 'I cannot tell which'}. "
                "Stop it first, or set LINKFERRY_QUEUE_URL to a RabbitMQ server to run more than one."
            )
        if not told:
            log.warning(
                "%s carries a job in %s; I wait until it is done, or somebody stops it", holder, folder
            )
            told = True
        await asyncio.sleep(LOOK_INTERVAL)


async def _wait(parts: Parts, *, with_worker: bool) -> None:
    """Nothing to serve: what was started does everything until it is stopped."""
    if with_worker:
        log.info("working, %d jobs at once; Ctrl-C stops", parts.settings.max_concurrent_downloads)
    elif platforms := wanted(parts.settings):
        log.info("people can ask in %s; workers do the rest; Ctrl-C stops", " and ".join(platforms))
    else:
        log.warning("no chat platform has a token yet; requests come in over the REST API of 'linkferry web'")
    await asyncio.Event().wait()


async def _serve(
    parts: Parts, sockets: list[socket.socket], routers: list[APIRouter], monitor: Monitor
) -> None:
    """Serve until cancelled; then no new connections, and what runs has `GRACE` seconds to end."""
    app = create_app(
        parts.settings,
        parts.database,
        parts.queue,
        parts.storage,
        parts.links,
        parts.intake,
        parts.follower,
        monitor,
    )
    for router in routers:
        app.include_router(router)
    await _run_server(Server(app, welcome(parts.settings)), sockets)


@asynccontextmanager
async def _monitored(settings: Settings, monitor: Monitor) -> AsyncIterator[None]:
    """Answer the monitoring on a port of its own while the block runs."""
    with listening(settings, settings.metrics_port, "METRICS_PORT") as sockets:
        server = Server(monitoring_app(monitor), [])
        async with beside(_run_server(server, sockets)):
            yield


async def _run_server(server: "Server", sockets: list[socket.socket]) -> None:
    """Serve until cancelled; the server then ends by itself, soon."""
    serving = asyncio.create_task(server.serve(sockets))
    try:
        await asyncio.shield(serving)
    except asyncio.CancelledError:
        server.should_exit = True
        await serving
        raise


class Server(uvicorn.Server):
    """uvicorn, except that it says `words` once it listens, and leaves the signals to the whole process."""

    def __init__(self, app: FastAPI, words: list[str]) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            proxy_headers=False,  # the guard looks at the real caller, and at what a proxy says about others
            lifespan="off",
            timeout_graceful_shutdown=GRACE,
            ws="websockets-sansio",
            ws_max_size=MAX_MESSAGE,
        )
        super().__init__(config)
        self._words = words

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, and say so."""
        await super().startup(sockets)
        for sentence in self._words:
            log.info(sentence)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Nothing: `stop_on_signal` has them."""
        yield


def welcome(settings: Settings) -> list[str]:
    """Where it listens, and what to do next: one sentence each."""
    sentences = [
        f"listening on {_address(settings, settings.port)}; links start with {settings.effective_public_url}",
        "next: linkferry get LINK, in another terminal; Ctrl-C stops this one",
    ]
    if not is_loopback(settings.host):
        if not settings.public_url:
            sentences.append("set LINKFERRY_PUBLIC_URL, or links work on this machine only")
        if not settings.api_keys:
            sentences.append("the REST API answers on this machine only until LINKFERRY_API_KEYS is set")
    return sentences


@contextmanager
def listening(
    settings: Settings, port: int | None = None, variable: str = "PORT"
) -> Iterator[list[socket.socket]]:
    """Sockets bound to every address of the host. Raises ConfigError when there is none to be had."""
    port = port or settings.port
    with ExitStack() as stack:
        try:
            found = socket.getaddrinfo(
                settings.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            sockets = [
                stack.enter_context(_bound(family, at)) for family, _, _, _, at in dict.fromkeys(found)
            ]
        except OSError as error:
            raise ConfigError(_why_not(_address(settings, port), variable, error)) from error
        yield sockets


def _bound(family: int, address: tuple[object, ...]) -> socket.socket:
    # only the first two: a scope makes no sense for what others shall reach
    return socket.create_server((str(address[0]), int(str(address[1]))), family=family, backlog=2048)


def _why_not(address: str, variable: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            words = f"Another program listens on {address}; stop it"
            return f"{words}, or set LINKFERRY_{variable} to a free port."
        case errno.EACCES:
            return f"I may not listen on {address}; set LINKFERRY_{variable} to a port above 1023."
        case _:
            reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
            return f"I cannot listen on {address} ({reason}); check LINKFERRY_HOST and LINKFERRY_{variable}."


def _address(settings: Settings, port: int) -> str:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{port}"
