"""How often a chat may be called: pure logic, the time is handed in. Seconds everywhere, of any one clock.

A platform counts calls in windows (a chat, a group, a whole workspace). Finals and new messages may use a
window up; progress may use a share of it only, so that there is always room for what matters. An answer
"too many requests" holds that one chat for as long as it says.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import inf

SLACK = 0.05  # seconds added to each window: the platform's clock is not ours


@dataclass(frozen=True)
class Window:
    """At most `calls` in any `seconds`; progress may bring them up to `progress` only, which is at least 1.

    `scope` names the window: chats with an equal scope share it.
    """

    scope: Hashable
    calls: int
    seconds: float
    progress: int


AGES = ((60.0, 1.0), (300.0, 2.0), (1800.0, 4.0), (inf, 10.0))  # until this age, so many base intervals


def interval(base: float, age: float) -> float:
    """Seconds between two progress edits of one message: longer, the longer its job goes on."""
    return base * next(factor for limit, factor in AGES if age < limit)


class Pace:
    """Remembers what was called when, and says what may be called now.

    `windows` gives the windows of a chat; `base` the shortest interval of one message, in seconds.
    """

    def __init__(self, windows: Callable[[str], Sequence[Window]], base: float) -> None:
        self._windows = windows
        self._base = base
        self._calls: dict[Hashable, deque[float]] = {}
        self._held: dict[str, float] = {}
        self._edited: dict[Hashable, float] = {}

    def wait(self, chat: str, now: float) -> float:
        """Seconds until a final or a new message may be sent to the chat; 0: now."""
        return self._wait(chat, now, lambda window: window.calls)

    def may_show(self, chat: str, message: Hashable, age: float, now: float) -> bool:
        """Whether this message may show progress now. `age`: seconds since its job was asked for."""
        if now - self.last_shown(message) < interval(self._base, age):
            return False
        return self._wait(chat, now, lambda window: window.progress) <= 0

    def last_shown(self, message: Hashable) -> float:
        """When the message was last edited; minus infinity: never. Who waited longest should go first."""
        return self._edited.get(message, -inf)

    def called(self, chat: str, now: float, message: Hashable | None = None) -> None:
        """A call is on its way to this chat; for a progress or final edit, of this message."""
        for window in self._windows(chat):
            self._calls.setdefault(window.scope, deque()).append(now)
        if message is not None:
            self._edited[message] = now

    def refused(self, chat: str, now: float, seconds: float) -> None:
        """The platform wants rest in this chat."""
        self._held[chat] = max(self._held.get(chat, -inf), now + seconds)

    def forget(self, message: Hashable) -> None:
        """The message is final."""
        self._edited.pop(message, None)

    def _wait(self, chat: str, now: float, room: Callable[[Window], int]) -> float:
        held = self._held.get(chat, -inf)
        if held <= now:
            self._held.pop(chat, None)
        waits = [self._full(window, now, room(window)) for window in self._windows(chat)]
        return max(0.0, held - now, *waits)

    def _full(self, window: Window, now: float, room: int) -> float:
        """Seconds until the window has room for one more call, when it has `room` altogether."""
        calls = self._calls.get(window.scope)
        while calls and calls[0] <= now - window.seconds - SLACK:
            calls.popleft()
        if not calls:
            self._calls.pop(window.scope, None)
            return 0.0
        return 0.0 if len(calls) < room else calls[len(calls) - room] + window.seconds + SLACK - now
