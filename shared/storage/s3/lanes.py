"""What all uploads of a process share, so that memory has a bound however many there are."""

import os
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from queue import SimpleQueue

from shared.storage.port import StorageError

PART = 12 * 1024 * 1024  # bytes; a part is one request, and a request costs milliseconds of a processor
SENDERS = 5  # parts that are on their way at once, of all files together
BUFFERS = SENDERS + 1  # one is read into while all others are sent


class Lanes:
    """Threads that send parts, and the buffers that these are read into. `part` is their size in bytes."""

    def __init__(self, senders: Executor, part: int) -> None:
        self.senders = senders
        self.part = part
        self._free: SimpleQueue[bytearray] = SimpleQueue()
        for _ in range(BUFFERS):
            self._free.put(bytearray())

    def take(self, size: int) -> bytearray:
        """A buffer of at least `size` bytes; waits for one. It must be given back."""
        buffer = self._free.get()
        return buffer if len(buffer) >= size else bytearray(size)

    def give(self, buffer: bytearray) -> None:
        """Give a buffer back."""
        self._free.put(buffer)

    @contextmanager
    def buffer(self, size: int) -> Iterator[bytearray]:
        """A buffer of at least `size` bytes while the block runs."""
        buffer = self.take(size)
        try:
            yield buffer
        finally:
            self.give(buffer)


def read_into(buffer: bytearray, file: int, offset: int, length: int) -> bytes | bytearray:
    """Fill the buffer from an open file; what can be sent: the buffer itself where it is full.

    Raises OSError, and StorageError when the file has become shorter.
    """
    done = 0
    with memoryview(buffer) as whole:
        while done < length:
            got = os.preadv(file, [whole[done:length]], offset + done)
            if not got:
                raise StorageError("the file became shorter while it was stored")
            done += got
        return buffer if length == len(buffer) else bytes(whole[:length])
