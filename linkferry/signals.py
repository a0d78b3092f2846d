"""Signals: the first one asks, the second one insists."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SHOW_CURSOR = b"\x1b[?25h"


@contextmanager
def stop_on_signal(stop: Callable[[], object]) -> Iterator[None]:
    """While the block runs, the first SIGINT or SIGTERM calls `stop`; the next one ends the process at once.

    Nothing is left behind then either: the kernel ends the children of a process that is gone, and the
    database knows what was unfinished.
    """
    loop = asyncio.get_running_loop()
    stopping = False

    def handle(number: int) -> None:
        nonlocal stopping
        if stopping:
            leave(number)
        stopping = True
        stop()

    for number in SIGNALS:
        loop.add_signal_handler(number, handle, number)
    try:
        yield
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)
            if stopping:  # the event loop still has to close, and that can be interrupted as well
                signal.signal(number, lambda number, _: leave(number))


def leave(number: int) -> None:
    """End this process now, with the exit code that shells use for the signal."""
    if sys.stderr.isatty():
        os.write(sys.stderr.fileno(), SHOW_CURSOR)  # a status line may have hidden it
    os._exit(128 + number)
