"""Counts every byte a child reads from the network and stops it at the limit."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from shared.errors import Code
from worker.child.abort import TRIPWIRE

PAGE_LIMIT = 16 * 1024 * 1024  # bytes of one page, manifest or API answer, held in memory
# yt-dlp asks for up to 4 MB at once; on a connection that became slow that would look like standing still.
_CHUNK = 512 * 1024
GB = 1e9  # bytes


def too_large(limit: int, size: float | None = None) -> str:
    """What a person reads about a file above the limit, both in bytes; None where nobody knows its size."""
    if size is None:
        return f"This file is larger than the {limit / GB:.3g} GB that I may fetch."
    return f"This file has about {size / GB:.3g} GB, and I may fetch {limit / GB:.3g} GB at most."


class Budget:
    """Bytes fetched so far against a limit; safe to use from fragment threads."""

    def __init__(self, limit: int, on_bytes: Callable[[int], None], room: int | None = None) -> None:
        self.limit = limit
        self.room = room
        self.fetched = 0
        self._on_bytes = on_bytes
        self._lock = threading.Lock()

    def start(self, already: int = 0) -> None:
        """Begin to count anew, with what an earlier attempt left on disk."""
        self.fetched = already

    def add(self, count: int) -> None:
        """Count bytes; raises Abort(TOO_LARGE) above the limit, or what another thread was stopped by."""
        TRIPWIRE.check()
        with self._lock:
            self.fetched += count
            over = self.fetched > self.limit
        self._on_bytes(count)
        if over:
            raise TRIPWIRE.trip(Code.TOO_LARGE, f"more than {self.limit} bytes", too_large(self.limit))

    @property
    def left(self) -> int:
        """Bytes that may still come; zero when there are none."""
        return max(0, self.limit - self.fetched)

    def expect(self, declared: int | None) -> None:
        """What a site says a file will be. Before most of it is fetched in vain, raises Abort(TOO_LARGE), or
        Abort(DISK_FULL) when there is less room."""
        if declared and declared > self.limit:
            detail = f"{declared} bytes declared, at most {self.limit} allowed"
            raise TRIPWIRE.trip(Code.TOO_LARGE, detail, too_large(self.limit, declared))
        if declared and self.room is not None and declared > self.room:
            raise TRIPWIRE.trip(Code.DISK_FULL, f"{declared} bytes declared, {self.room} are free")

    @contextmanager
    def at_most(self, limit: int) -> Iterator[None]:
        """Count against a smaller limit while something small is fetched, and add it up afterwards."""
        outer, before = self.limit, self.fetched
        self.limit, self.fetched = limit, 0
        try:
            yield
        finally:
            self.limit, self.fetched = outer, before + self.fetched

    def watch(self, response: Any) -> Any:
        """Make a yt-dlp response count what is read from it; reading it whole is bounded."""
        read = response.read

        def block(amount: int) -> bytes:
            try:
                data: bytes = read(amount)
            except Exception:
                TRIPWIRE.check()
                raise
            self.add(len(data))
            return data

        def counted(amount: int | None = None) -> bytes:
            return self._whole(block) if amount is None or amount < 0 else block(min(amount, _CHUNK))

        response.read = counted
        return response

    @staticmethod
    def _whole(read: Callable[[int], bytes]) -> bytes:
        blocks, size = [], 0
        while block := read(_CHUNK):
            blocks.append(block)
            size += len(block)
            if size > PAGE_LIMIT:
                raise TRIPWIRE.trip(Code.TOO_LARGE, f"a page of more than {PAGE_LIMIT} bytes")
        return b"".join(blocks)
