"""One worker a data folder: with the embedded queue, two would not know of each other."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

FILE_NAME = "worker.lock"


@contextmanager
def worker_lock(data_dir: Path) -> Iterator[bool]:
    """Hold the folder's lock while the block runs; yields False when another process has it.

    The kernel lets go of it when the process ends, however it ends.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(data_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        yield held
    finally:
        os.close(handle)
