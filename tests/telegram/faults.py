"""What goes wrong on request, once for each request."""

from collections import defaultdict, deque
from dataclasses import dataclass

from tests.telegram.refusal import Refused, default_description, too_many_requests


@dataclass(frozen=True)
class Fault:
    """What happens to one call: an answer instead of the effect, or an effect without its answer."""

    refusal: Refused | None = None
    applies: bool = False  # the call takes effect
    drops: bool = False  # then the connection is closed without an answer
    hangs: bool = False  # or stays open without an answer


class Faults:
    """The faults that wait for the next calls of a method, one each; `*` waits for any method."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[Fault]] = defaultdict(deque)

    def fail_next(
        self,
        method: str,
        *statuses: int,
        description: str | None = None,
        retry_after: int | None = None,
        migrate_to: int | None = None,
    ) -> None:
        """The next calls of the method are refused, one with each status, and take no effect."""
        for status in statuses or (500,):
            if status == 429:
                refusal = too_many_requests(retry_after or 1)
            elif migrate_to is not None:
                words = "Bad Request: group chat was upgraded to a supergroup chat"
                refusal = Refused(400, words, migrate_to_chat_id=migrate_to)
            else:
                refusal = Refused(status, description or default_description(status))
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
