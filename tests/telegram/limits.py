"""How often a bot may speak: the limits that Telegram's FAQ names, counted in the double's own time.

About one message a second in a private chat with a small burst, twenty a minute in a group, thirty a
second over all chats. Edits count like messages. A refused call is not counted.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from tests.telegram.refusal import too_many_requests


@dataclass
class Window:
    """At most `limit` calls in any `seconds`."""

    limit: int
    seconds: float

    def __post_init__(self) -> None:
        self._times: deque[float] = deque()

    def wait(self, now: float) -> float:
        """Seconds until one more call fits."""
        while self._times and self._times[0] <= now - self.seconds:
            self._times.popleft()
        return self._times[0] + self.seconds - now if len(self._times) >= self.limit else 0.0

    def count(self, now: float) -> None:
        """One call was made."""
        self._times.append(now)


@dataclass
class Bucket:
    """`rate` calls a second on average; `burst` at once after a pause."""

    rate: float
    burst: int

    def __post_init__(self) -> None:
        self._left = float(self.burst)
        self._at: float | None = None

    def wait(self, now: float) -> float:
        """Seconds until one more call fits."""
        if self._at is not None:
            self._left = min(self.burst, self._left + (now - self._at) * self.rate)
        self._at = now
        return 0.0 if self._left >= 1 - 1e-9 else (1 - self._left) / self.rate

    def count(self, now: float) -> None:
        """One call was made."""
        self._left -= 1


class Limits:
    """Every chat's limit and the bot's. `enabled = False` switches them off; `refusals` counts the 429s."""

    def __init__(self, clock: Callable[[], float], *, enabled: bool = True, private_burst: int = 3) -> None:
        self.enabled = enabled
        self.refusals = 0
        self._clock = clock
        self._private_burst = private_burst
        self._chats: dict[int, Window | Bucket] = {}
        self._overall = Window(30, 1.0)

    def spend(self, chat_id: int) -> None:
        """One message or edit in this chat, or the 429 that says when it may come."""
        if not self.enabled:
            return
        now, chat = self._clock(), self._chat(chat_id)
        wait = max(self._overall.wait(now), chat.wait(now))
        if wait > 0:
            self.refusals += 1
            raise too_many_requests(max(1, math.ceil(wait - 1e-9)))
        self._overall.count(now)
        chat.count(now)

    def _chat(self, chat_id: int) -> Window | Bucket:
        if chat_id not in self._chats:
            is_private = chat_id > 0
            self._chats[chat_id] = Bucket(1.0, self._private_burst) if is_private else Window(20, 60.0)
        return self._chats[chat_id]
