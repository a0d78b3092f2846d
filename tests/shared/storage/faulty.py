"""A proxy in front of an S3 that records requests and breaks those it is told to break."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

HOP_BY_HOP = {"connection", "expect", "keep-alive", "transfer-encoding", "date", "server"}


@dataclass(frozen=True)
class Seen:
    """A request as it arrived. `body` is its length in bytes."""

    method: str
    path: str
    headers: dict[str, str]
    body: int

    @property
    def is_part(self) -> bool:
        """Whether it sends one part of an upload."""
        return self.method == "PUT" and "partNumber=" in self.path


@dataclass
class Fault:
    """What happens to the next `times` requests that `applies` to."""

    applies: Callable[[Seen], bool]
    kind: str
    times: int
    about: dict[str, Any] = field(default_factory=dict)


class FaultyS3:
    """Listens on a free port and hands everything on to the S3 at `port`. A context manager."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self.seen: list[Seen] = []
        proxy = self

        class Handler(_Handler):
            faulty = proxy

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def refuse(
        self, applies: Callable[[Seen], bool], status: int, code: str, times: int = 10**6, message: str = ""
    ) -> None:
        """Answer with an error of S3's."""
        self._faults.append(
            Fault(applies, "refuse", times, {"status": status, "code": code, "text": message})
        )

    def cut_request(self, applies: Callable[[Seen], bool], times: int = 1) -> None:
        """Close the connection when half of the body has come."""
        self._faults.append(Fault(applies, "cut_request", times))

    def cut_answer(self, applies: Callable[[Seen], bool], times: int = 1) -> None:
        """Do what was asked, but close the connection in the middle of the answer's body."""
        self._faults.append(Fault(applies, "cut_answer", times))

    def lose_answer(self, applies: Callable[[Seen], bool], times: int = 1) -> None:
        """Do what was asked, and close the connection without a word."""
        self._faults.append(Fault(applies, "lose_answer", times))

    def call(self, applies: Callable[[Seen], bool], function: Callable[[], None]) -> None:
        """Call this before the first such request is handed on."""
        self._faults.append(Fault(applies, "call", 1, {"function": function}))

    def edit(self, applies: Callable[[Seen], bool], edited: Callable[[bytes], bytes]) -> None:
        """Change the answers' bodies."""
        self._faults.append(Fault(applies, "edit", 10**6, {"edited": edited}))

    def heal(self) -> None:
        """Break nothing any more, and forget what was seen."""
        with self._lock:
            self._faults.clear()
            self.seen.clear()

    def judge(self, request: Seen) -> Fault | None:
        """Record a request; what is to go wrong with it."""
        with self._lock:
            self.seen.append(request)
            for fault in self._faults:
                if fault.times and fault.applies(request):
                    fault.times -= 1
                    return fault
        return None

    def forward(self, request: Seen, body: bytes) -> tuple[int, dict[str, str], bytes]:
        """Ask the real one."""
        connection = HTTPConnection("127.0.0.1", self._target, timeout=60)
        try:
            headers = {name: value for name, value in request.headers.items() if name.lower() != "expect"}
            connection.request(request.method, request.path, body, headers)
            answer = connection.getresponse()
            kept = {k: v for k, v in answer.getheaders() if k.lower() not in HOP_BY_HOP}
            return answer.status, kept, answer.read()
        finally:
            connection.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: Any) -> None:
        """A client that went away is nothing to write about."""


class _Handler(BaseHTTPRequestHandler):
    faulty: FaultyS3
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def handle_expect_100(self) -> bool:
        """At once: a client waits a second for it, and then sends the body anyway."""
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def _serve(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        request = Seen(self.command, self.path, dict(self.headers.items()), length)
        fault = self.faulty.judge(request)
        kind = fault.kind if fault else ""
        if kind == "cut_request":
            self.rfile.read(length // 2)
            self.close_connection = True
            return
        body = self.rfile.read(length)
        if fault and kind == "call":
            fault.about["function"]()
        if fault and kind == "refuse":
            self._answer(fault.about["status"], {"content-type": "application/xml"}, _error(**fault.about))
            return
        status, headers, content = self.faulty.forward(request, body)
        if fault and kind == "edit":
            content = fault.about["edited"](content)
        if kind == "lose_answer":
            self.close_connection = True
            return
        self._answer(status, headers, content, is_cut=kind == "cut_answer")

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _serve

    def _answer(self, status: int, headers: dict[str, str], body: bytes, is_cut: bool = False) -> None:
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() != "content-length" or self.command == "HEAD":
                self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body[: len(body) // 2] if is_cut else body)
        self.close_connection |= is_cut

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


def _error(status: int, code: str, text: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{text}</Message></Error>".encode()
