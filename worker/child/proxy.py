"""A filtering HTTP proxy on loopback, inside the child, for libcurl.

libcurl's sockets are not Python's, so the audit hook cannot see them. Its requests go through this proxy,
whose outbound sockets are Python's. It knows tunnels only, plain http included: each leads to one host,
however long it is used. It starts when it is first needed.
"""

import logging
import select
import socket
import struct
import threading
from functools import cache
from urllib.parse import urlsplit

from worker.child.abort import Abort

log = logging.getLogger("linkferry.child")

_MAX_HEAD = 64 * 1024  # bytes
_TIMEOUT = 20.0  # seconds to connect and to read a request's head
_IDLE = 120.0  # seconds without a byte in either direction
_BLOCK = 64 * 1024


def parse(head: bytes) -> tuple[str, int] | None:
    """The host and port that a request's head wants a tunnel to; None for anything but CONNECT. Pure."""
    method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
    try:
        url = urlsplit(f"//{rest.partition(' ')[0]}")
        return (url.hostname, url.port) if method == "CONNECT" and url.hostname and url.port else None
    except ValueError:  # a port that is no number
        return None


@cache
def address() -> str:
    """The proxy's URL; starts it in this process on the first call."""
    server = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(server,), name="proxy", daemon=True).start()
    return f"http://127.0.0.1:{server.getsockname()[1]}"


def _accept(server: socket.socket) -> None:
    while True:
        client, _ = server.accept()
        threading.Thread(target=_serve, args=(client,), name="proxy", daemon=True).start()


def _serve(client: socket.socket) -> None:
    with client:
        upstream = _connect(client)
        if upstream is None:
            return
        with upstream:
            try:
                _relay(client, upstream)
            except (OSError, Abort) as error:  # a response is under way: no word of ours may get into it
                log.info("the proxy broke off: %s", error)
                _break_off(client)


def _connect(client: socket.socket) -> socket.socket | None:
    """Read the request and open the tunnel; None when that did not work and the client was told so."""
    try:
        return _begin(client)
    except Abort as abort:  # the tripwire keeps it; curl only learns that it did not work
        log.info("the proxy refused: %s", abort)
        _answer(client, b"403 Forbidden")
    except (OSError, ValueError) as error:  # ValueError: a host that no resolver takes
        log.debug("the proxy failed: %s", error)
        _answer(client, b"502 Bad Gateway")
    return None


def _answer(client: socket.socket, status: bytes) -> None:
    try:
        client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    except OSError:
        log.debug("the proxy's client has gone")


def _break_off(client: socket.socket) -> None:
    """Close with a reset: an orderly end would look like the end of a response without a length."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _begin(client: socket.socket) -> socket.socket | None:
    client.settimeout(_TIMEOUT)
    head, body = _read_head(client)
    target = parse(head)
    if target is None:
        _answer(client, b"400 Bad Request")
        return None
    upstream = socket.create_connection(target, timeout=_TIMEOUT)
    try:
        upstream.sendall(body)
        client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    except BaseException:
        upstream.close()
        raise
    return upstream


def _read_head(client: socket.socket) -> tuple[bytes, bytes]:
    data = b""
    while b"\r\n\r\n" not in data:
        block = client.recv(_BLOCK)
        if not block or len(data) > _MAX_HEAD:
            raise ConnectionError("no whole request")
        data += block
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def _relay(client: socket.socket, upstream: socket.socket) -> None:
    other = {client: upstream, upstream: client}
    while True:
        ready, _, _ = select.select([client, upstream], [], [], _IDLE)
        if not ready:
            raise TimeoutError(f"no byte for {_IDLE:g} s")
        for source in ready:
            block = source.recv(_BLOCK)
            if not block:
                return
            other[source].sendall(block)
