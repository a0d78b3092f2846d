"""What goes wrong on request, once for each request."""

from collections import defaultdict, deque
from dataclasses import dataclass

from tests.slack.refusal import Refused, ratelimited


@dataclass(frozen=True)
class Fault:
    """What happens to one call: an answer instead of the effect, or an effect without its answer."""

    refusal: Refused | None = None
    applies: bool = False  # the call takes effect
    drops: bool = False  # then the connection is closed without an answer
    hangs: bool = False  # or stays open without an answer


class Faults:
    """The faults that wait for the next calls of a method, one each; `*` waits for any method.

    `response_url` and `upload` are methods here too.
    """

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def fail_next(
        self,
        method: str,
        error: str | None = None,
        *,
        status: int | None = None,
        retry_after: int | None = None,
        times: int = 1,
    ) -> None:
        """The next calls are refused and take no effect: by an error code, an HTTP status, or a 429."""
        if retry_after is not None or status == 429:
            refusal = ratelimited(retry_after or 1)
        else:
            refusal = Refused(error or "internal_error", status=status or 200)
        for _ in range(times):
            self._add(method, Fault(refusal=refusal))

    def apply_then_drop(self, method: str) -> None:
        """The next call takes effect, then the connection is closed without an answer."""
        self._add(method, Fault(applies=True, drops=True))

    def drop_next(self, method: str) -> None:
        """The connection of the next call is closed without an answer, and nothing takes effect."""
        self._add(method, Fault(drops=True))

    def hang_next(self, method: str, *, applies: bool = False) -> None:
        """The next call gets no answer until the caller gives up; by default it takes no effect."""
        self._add(method, Fault(hangs=True, applies=applies))

    def take(self, method: str) -> Fault | None:
        """The fault that this call meets, if any."""
        for name in (method.lower(), "*"):
            if self._waiting[name]:
                return self._waiting[name].popleft()
        return None

    def _add(self, method: str, fault: Fault) -> None:
        self._waiting[method.lower()].append(fault)
