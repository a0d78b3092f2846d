"""The session's warm process under the name of what it is here, and a listener that nobody may ever reach."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.site.server import MediaSite
from worker.child.protocol import Limits
from worker.child.server import ChildServer


@pytest.fixture
def server(children: ChildServer) -> ChildServer:
    """A running child server whose children know the test extractor."""
    return children


@pytest.fixture
def limits(site: MediaSite) -> Callable[..., Limits]:
    """Makes limits that let a child reach the media site and nothing else on loopback."""

    def make(**changes: Any) -> Limits:
        usual = {
            "max_bytes": 1_000_000_000,
            "wall_clock": 60.0,
            "no_progress": 30.0,
            "allowed_addresses": (f"127.0.0.1:{site.port}",),
        }
        return Limits(**{**usual, **changes})

    return make


class Inside:
    """A server on a private address; it counts who comes."""

    def __init__(self) -> None:
        self.connections = 0
        self.port = 0
        self._sockets: list[socket.socket] = []

    def start(self) -> None:
        """Listen on the same port of 127.0.0.1 and, where there is one, ::1."""
        first = socket.create_server(("127.0.0.1", 0))
        self.port = first.getsockname()[1]
        self._sockets.append(first)
        if socket.has_ipv6:
            with contextlib.suppress(OSError):
                self._sockets.append(socket.create_server(("::1", self.port), family=socket.AF_INET6))
        for listening in self._sockets:
            threading.Thread(target=self._count, args=(listening,), daemon=True).start()

    def _count(self, listening: socket.socket) -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            self.connections += 1
            connection.close()

    def stop(self) -> None:
        """Close the sockets; `shutdown` wakes the threads."""
        for listening in self._sockets:
            listening.shutdown(socket.SHUT_RDWR)
            listening.close()


@pytest.fixture
def inside() -> Iterator[Inside]:
    """A listener on loopback that is not in `allowed_addresses`; fails the test if anybody connected."""
    listener = Inside()
    listener.start()
    yield listener
    listener.stop()
    assert listener.connections == 0
