"""What the doubles of Telegram's and Slack's servers have in common: calls they remember, waiting, faults."""

import asyncio
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Called(Protocol):
    """A call that was made."""

    method: str


C = TypeVar("C", bound=Called)
R = TypeVar("R", bound=Exception)


@dataclass(frozen=True)
class Fault(Generic[R]):
    """What happens to one call: an answer instead of the effect, or an effect without its answer."""

    refusal: R | None = None
    applies: bool = False  # the call takes effect
    drops: bool = False  # then the connection is closed without an answer
    hangs: bool = False  # or stays open without an answer


class Faults(Generic[R]):
    """The faults that wait for the next calls of a method, one each; `*` waits for any method."""

    def __init__(self) -> None:
        self._waiting: defaultdict[str, deque[Fault[R]]] = defaultdict(deque)

    def refuse_next(self, method: str, refusal: R) -> None:
        """The next call is answered so, and takes no effect."""
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

    def take(self, method: str) -> Fault[R] | None:
        """The fault that this call meets, if any."""
        for name in (method.lower(), "*"):
            if self._waiting[name]:
                return self._waiting[name].popleft()
        return None

    def _add(self, method: str, fault: Fault[R]) -> None:
        self._waiting[method.lower()].append(fault)


class Double(Generic[C]):
    """A server of which tests ask what was called, and for which they wait."""

    def __init__(self) -> None:
        self.calls: list[C] = []
        self.bugs: list[str] = []  # errors of the double itself, shown when it closes
        self._waiters: set[asyncio.Future[None]] = set()

    def made(self, *methods: str) -> list[C]:
        """The calls of these methods so far, refused ones too; all calls without a name."""
        names = {one.lower() for one in methods}
        return [one for one in self.calls if not names or one.method.lower() in names]

    def changed(self) -> None:
        """Something people can see is different."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def until(
        self,
        fits: Callable[[], bool],
        patience: float = 60,
        otherwise: str | Callable[[], str] = "it never came",
    ) -> None:
        """Wait until it is so, `patience` seconds at most; not every call is seen by people."""
        end = time.monotonic() + patience
        while not fits():
            left = end - time.monotonic()
            if left <= 0:
                raise AssertionError(otherwise if isinstance(otherwise, str) else otherwise())
            waiter = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            await asyncio.wait([waiter], timeout=min(left, 0.05))
            self._waiters.discard(waiter)

    def check(self) -> None:
        """Raises AssertionError when the double itself has failed."""
        assert not self.bugs, "the double itself failed:\n" + "\n".join(self.bugs)
