"""How long the child itself waits for side work, so that the worker's limits are left to the media.

A caption track or a picture that stands still must cost the track, not the job. The alarm reaches the main
thread wherever it waits on a socket, so side work runs in that thread only.
"""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import Code
from worker.child.abort import TRIPWIRE
from worker.child.protocol import Limits

_SIDE_WORK = 30.0  # seconds for one track, or for all tries at a picture
_ALL_TRACKS = 180.0  # seconds


class Patience:
    """What may be spent on side work, by the limits the worker counts from the first call on."""

    def __init__(self, limits: Limits) -> None:
        self._ends = time.monotonic() + limits.wall_clock
        self._quiet = limits.no_progress / 2

    def for_one(self) -> float:
        """Seconds for one piece of side work."""
        return min(_SIDE_WORK, self._quiet, self._half_of_what_is_left())

    def for_all_tracks(self) -> float:
        """Seconds for all caption tracks together."""
        return min(_ALL_TRACKS, self._half_of_what_is_left())

    def _half_of_what_is_left(self) -> float:
        return max(0.0, (self._ends - time.monotonic()) / 2)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raise Abort(STALLED) inside the block once the time is over; for the main thread only.

    The alarm rings once: at whatever moment that is, nothing rings afterwards. Where a library swallows it,
    the tripwire ends the next read or request.
    """

    def ring(*_: object) -> None:
        raise TRIPWIRE.trip(Code.STALLED, f"side work took longer than {seconds:.1f} s")

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
