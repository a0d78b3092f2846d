"""How often a chat may be called: pure logic, the time is handed in. Seconds everywhere, of any one clock.

A platform counts calls in windows (a chat, a group, a whole workspace). Finals and new messages may use a
window up; progress may use a share of it only, so that there is always room for what matters. An answer
"too many requests" holds that one place for as long as it says.
"""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from math import inf

SLACK = 0.25  # seconds added to each window: calls do not all take equally long to the platform
SWEEP = 60.0  # seconds between two looks for what is over and need not be remembered


@dataclass(frozen=True)
class Window:
    """At most `calls` in any `seconds`; progress may bring them up to `progress` only.

    Chats with an equal window share it; `scope` says whose it is.
    """

    scope: Hashable
    calls: int
    seconds: float
    progress: int

    def __post_init__(self) -> None:
        if not 1 <= self.progress <= self.calls:
            raise ValueError("progress gets at least one call, and at most all")

    def free_at(self, made: Sequence[float], room: int) -> float:
        """When one more call fits, with `room` for calls altogether, after those `made` at these times."""
        return made[-room] + self.seconds + SLACK if len(made) >= room else -inf


AGES = ((60.0, 1.0), (300.0, 2.0), (1800.0, 4.0))  # until this age, so many base intervals
OLD = 10.0  # and so many from then on


def interval(base: float, age: float) -> float:
    """Seconds between two progress edits of one message: longer, the longer its job goes on."""
    return base * next((factor for limit, factor in AGES if age < limit), OLD)


class Pace:
    """Remembers what was called when, and says what may be called now.

    `windows` gives the windows of a chat; `base` the shortest interval of one message, in seconds; `place`
    says what a refusal holds: by itself each chat alone, but a platform may refuse for many chats together.
    """

    def __init__(
        self,
        windows: Callable[[str], Sequence[Window]],
        base: float,
        place: Callable[[str], Hashable] = lambda chat: chat,
    ) -> None:
        self.place = place
        self._windows = windows
        self._base = base
        self._calls: dict[Window, deque[float]] = {}
        self._held: dict[Hashable, float] = {}
        self._edited: dict[Hashable, float] = {}
        self._swept = -inf

    def wait(self, chat: str, now: float, ahead: int = 0) -> float:
        """Seconds until a final or a new message may be sent to the chat, after `ahead` others; 0: now."""
        free = (self._free_at(window, now, ahead) for window in self._windows(chat))
        return max(0.0, max(free, default=now) - now, self._held_until(chat) - now)

    def may_show(self, chat: str, message: Hashable, age: float, now: float) -> bool:
        """Whether this message may show progress now. `age`: seconds since its job was asked for."""
        if now < max(self._held_until(chat), self.last_shown(message) + interval(self._base, age)):
            return False
        return all(
            window.free_at(self._calls.get(window, ()), window.progress) <= now
            for window in self._windows(chat)
        )

    def last_shown(self, message: Hashable) -> float:
        """When the message last showed progress; minus infinity: never. Who waited longest goes first."""
        return self._edited.get(message, -inf)

    def called(self, chat: str, now: float, message: Hashable | None = None) -> None:
        """A call is on its way to this chat; where it shows progress, of this message."""
        if now >= self._swept + SWEEP:
            self._sweep(now)
        for window in self._windows(chat):
            self._calls.setdefault(window, deque(maxlen=window.calls)).append(now)
        if message is not None:
            self._edited[message] = now

    def refused(self, chat: str, now: float, seconds: float) -> None:
        """The platform wants rest in this chat."""
        self._held[self.place(chat)] = max(self._held_until(chat), now + seconds)

    def forget(self, message: Hashable) -> None:
        """The message shows no progress any more."""
        self._edited.pop(message, None)

    def _held_until(self, chat: str) -> float:
        return self._held.get(self.place(chat), -inf)

    def _free_at(self, window: Window, now: float, ahead: int) -> float:
        """When the window has room for a call behind `ahead` others that come as soon as they may."""
        rounds, rest = divmod(ahead, window.calls)
        free = window.free_at(self._calls.get(window, ()), window.calls - rest)
        return max(now, free) + rounds * (window.seconds + SLACK)

    def _sweep(self, now: float) -> None:
        """Forget the calls and refusals that hold nobody back any more."""
        self._swept = now
        self._held = {place: until for place, until in self._held.items() if until > now}
        self._calls = {window: made for window, made in self._calls.items() if window.free_at(made, 1) > now}
