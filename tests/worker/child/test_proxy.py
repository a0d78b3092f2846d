"""The proxy for libcurl says nothing of its own once a response is under way."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from worker.child import proxy

HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


@contextmanager
def upstream(answer: bytes, *, reset: bool) -> Iterator[int]:
    """A server that gives one answer without a length, and ends it or breaks it off; its port."""

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)
            received.wait(10)
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname()[1]
        thread.join()


received = threading.Event()


def ask(head: bytes) -> tuple[bytes, bool]:
    """What comes back for a request, and whether it ended in good order."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = socket.create_connection(listening.getsockname())
        served, _ = listening.accept()
    thread = threading.Thread(target=proxy._serve, args=(served,))
    thread.start()
    got = b""
    with client:
        client.settimeout(10)
        client.sendall(head)
        try:
            while block := client.recv(65536):
                got += block
                received.set()
            orderly = True
        except ConnectionError:
            orderly = False
    thread.join()
    return got, orderly


@pytest.fixture(autouse=True)
def anew() -> None:
    received.clear()


@pytest.mark.parametrize("reset", [False, True])
def test_a_response_that_breaks_off_has_nothing_added(reset: bool) -> None:
    answer = HEAD + b"the beginning of a file"
    with upstream(answer, reset=reset) as port:
        got, orderly = ask(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n".encode())
    assert got == b"HTTP/1.1 200 Connection established\r\n\r\n" + answer
    assert orderly is not reset


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n", b"502"),
        (b"CONNECT " + b"x" * 70 + b".example:80 HTTP/1.1\r\n\r\n", b"502"),  # too long for a name
        (b"CONNECT a..example:80 HTTP/1.1\r\n\r\n", b"502"),
        (b"CONNECT a\x00b.example:443 HTTP/1.1\r\n\r\n", b"502"),
        (b"CONNECT a.example:https HTTP/1.1\r\n\r\n", b"400"),
        (b"CONNECT a.example HTTP/1.1\r\n\r\n", b"400"),
        (b"GET http://127.0.0.1:1/ HTTP/1.1\r\n\r\n", b"400"),  # could be followed by one for elsewhere
        (b"nonsense\r\n\r\n", b"400"),
    ],
)
def test_what_cannot_be_reached_is_answered(head: bytes, status: bytes) -> None:
    got, _ = ask(head)
    assert got.split(b" ")[1:2] == [status]
    assert got.count(b"HTTP/1.1") == 1
