"""The retry policy: pure decisions, chance injected."""

from collections.abc import Callable
from dataclasses import dataclass

from shared.errors import FAILURES, Code, Retry

MAX_FAILURES = 5
MAX_CRASHES = 3
BASE_DELAY = 4.0  # seconds
MAX_DELAY = 600.0
BASE_COOL_DOWN = 30.0
MAX_COOL_DOWN = 3600.0  # unless the site asks for more
FULL_PAUSE = 60.0  # a disk is not cleared in seconds; another machine's may have room


@dataclass(frozen=True)
class Verdict:
    """What happens after a failure, in seconds: `retry_in` None fails the job; `cool_down` rests the site."""

    retry_in: float | None
    cool_down: float | None = None


def after_failure(
    code: Code, failures: int, retry_after: float | None, uniform: Callable[[float, float], float]
) -> Verdict:
    """Decide what follows the `failures`-th failure (1 for the first).

    Exponential backoff with full jitter; never sooner than the site asked for, or than a full disk may have
    room again. Throttling also rests the site for everybody, for as long as it asked or ever longer.
    """
    retry = FAILURES[code].retry
    if retry is Retry.NEVER:
        return Verdict(None)
    rest = None
    if retry is Retry.COOL_DOWN:
        rest = retry_after or min(MAX_COOL_DOWN, BASE_COOL_DOWN * 2.0 ** (failures - 1))
    if failures >= MAX_FAILURES:
        return Verdict(None, rest)
    full = FULL_PAUSE if code is Code.DISK_FULL else 0.0
    floor = rest or retry_after or full
    return Verdict(floor + uniform(0, min(MAX_DELAY, BASE_DELAY * 2.0 ** (failures - 1))), rest)
