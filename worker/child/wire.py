"""The child's end of the pipe: calls in, progress and replies out, one JSON object a line."""

import socket
import threading
import time
from collections.abc import Iterator

from pydantic import TypeAdapter

from worker.child.protocol import MAX_LINE, Call, Progress, Reply

_CALLS: TypeAdapter[Call] = TypeAdapter(Call)
_PROGRESS_INTERVAL = 0.1  # seconds between progress lines
_HEARTBEAT_INTERVAL = 1.0  # seconds between lines that only say: bytes still arrive


class Wire:
    """Reads calls and writes lines; writing is safe from several threads."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._reader = end.makefile("rb")
        self._lock = threading.Lock()
        self._counting = threading.Lock()
        self._arrived = 0  # bytes that no line has told yet
        self._last = 0.0
        self._latest = Progress(done=0)

    def calls(self) -> Iterator[Call]:
        """The worker's calls until it hangs up. Raises ValueError for a line that is no call."""
        while line := self._reader.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                raise ValueError("a call longer than MAX_LINE")
            yield _CALLS.validate_json(line)

    def progress(self, progress: Progress, *, final: bool = False) -> None:
        """Send progress, at most every 0.1 s unless it is the last of a download."""
        self._latest = progress
        self._send_if_due(0.0 if final else _PROGRESS_INTERVAL)

    def arrived(self, count: int) -> None:
        """So many bytes came; says so now and then, also during work that has no progress of its own."""
        with self._counting:
            self._arrived += count
        self._send_if_due(_HEARTBEAT_INTERVAL)

    def alive(self) -> None:
        """Say that the work goes on although no bytes arrived: a piece of it was given up."""
        self._send_if_due(0.0)

    def reply(self, reply: Reply) -> None:
        """Answer the current call; progress starts anew with the next."""
        with self._lock:
            data = self._line(reply)
            if len(data) > MAX_LINE:
                raise ValueError("an answer longer than MAX_LINE")
            self._socket.sendall(data)
            self._latest = Progress(done=0)

    def _send_if_due(self, interval: float) -> None:
        now = time.monotonic()
        if now - self._last < interval or not self._lock.acquire(blocking=False):
            return
        try:
            self._last = now
            self._socket.sendall(self._line(self._latest))
        finally:
            self._lock.release()

    def _line(self, message: Progress | Reply) -> bytes:
        with self._counting:
            arrived, self._arrived = self._arrived, 0
        told = message.model_copy(update={"arrived": arrived})
        return told.model_dump_json(exclude_none=True).encode() + b"\n"
