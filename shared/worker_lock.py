"""One worker a data folder: with the embedded queue, two would not know of each other."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FILE_NAME = "worker.lock"
GET = "linkferry get"  # holds it for one job; every other command does until somebody stops it


@contextmanager
def worker_lock(data_dir: Path, command: str = "linkferry") -> Iterator[bool]:
    """Hold the folder's lock while the block runs; yields False when another process has it.

    The kernel lets go of it when the process ends, however it ends. `command` tells others who it is.
    """
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle = os.open(data_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = True
        except BlockingIOError:
            held = False
        if held:
            _sign(handle, command)
        yield held
    finally:
        os.close(handle)


def lock_holder(data_dir: Path) -> str:
    """Who holds the lock, such as `linkferry up (process 123)`; means nothing while nobody does."""
    try:
        return (data_dir / FILE_NAME).read_text().strip()
    except OSError:
        return ""


def _sign(handle: int, command: str) -> None:
    """Note who holds it: by one write over the whole file, so that nobody reads half of two names."""
    with suppress(OSError):  # a full disk: the lock counts, the name only helps
        os.pwrite(handle, f"{command} (process {os.getpid()})".ljust(80).encode(), 0)
