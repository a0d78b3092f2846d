"""Running processes: the web endpoint, the worker, and both in one. They end well on SIGTERM."""

import asyncio
import logging
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from bots.web.app import create_app
from linkferry.compose import Parts, open_parts, running_worker
from shared.errors import ConfigError
from shared.lock import worker_lock
from shared.settings import Settings

log = logging.getLogger(__name__)


async def up(settings: Settings) -> int:
    """The web endpoint and the worker, until SIGTERM or Ctrl-C."""
    with worker_lock(settings.data_dir) as held:
        if not held:
            raise ConfigError(
                f"Another linkferry carries jobs in {settings.data_dir.resolve()}; stop it first."
            )
        async with open_parts(settings) as parts, running_worker(parts):
            await _serve(parts)
    return 0


async def web(settings: Settings) -> int:
    """The web endpoint alone, until SIGTERM or Ctrl-C."""
    async with open_parts(settings) as parts:
        await _serve(parts)
    return 0


async def _serve(parts: Parts) -> None:
    app = create_app(
        parts.settings, parts.database, parts.queue, parts.storage, parts.links, parts.intake, parts.follower
    )
    server = Server(
        uvicorn.Config(
            app,
            host=parts.settings.host,
            port=parts.settings.port,
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=3,
            ws="websockets-sansio",
        )
    )
    async with asyncio.TaskGroup() as group:
        group.create_task(_announce(server, parts.settings))
        await server.serve()


async def _announce(server: "Server", settings: Settings) -> None:
    while not server.started:
        if server.should_exit:
            return
        await asyncio.sleep(0.02)
    log.info(
        "listening on %s:%d; links start with %s", settings.host, settings.port, settings.effective_public_url
    )
    log.info("next: linkferry get LINK, in another terminal")


class Server(uvicorn.Server):
    """uvicorn, with one rule changed: a signal ends the server and is not raised again afterwards."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the server; what runs beside it is then ended by its own context."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)
