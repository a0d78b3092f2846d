"""The site as a running server."""

import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn

from tests.site.app import create_app
from tests.site.files import Ledger
from tests.site.media import CACHE, build


class MediaSite:
    """The media site on a loopback port, served from a thread while the `with` block lasts.

    `port` 0 takes a free one. The media are built on first use and kept in `cache`.
    """

    def __init__(self, port: int = 0, cache: Path = CACHE) -> None:
        self.root = build(cache)
        self.ledger = Ledger()
        self._socket = socket.create_server(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio does not by itself here
        self.port: int = self._socket.getsockname()[1]
        config = uvicorn.Config(
            create_app(self.root, self.ledger),
            log_config=None,
            log_level="critical",
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=0,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, args=([self._socket],), name="media-site", daemon=True
        )

    @property
    def base(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash."""
        return f"http://127.0.0.1:{self.port}"

    def url(self, path: str) -> str:
        """The address of a path such as `/watch/sample`."""
        return f"{self.base}/{path.lstrip('/')}"

    def hits(self, path: str) -> int:
        """How often a path (without its query) was asked for."""
        return self.ledger.requests[path]

    @property
    def bytes_sent(self) -> int:
        """Bytes of all bodies sent."""
        return self.ledger.bytes_sent

    def reset(self) -> None:
        """Set the counters to zero and arm every fault again."""
        self.ledger.reset()

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.should_exit = True
        self._thread.join(10)
