"""How often the app may call: Slack's published tiers, counted in the double's own time.

chat.postMessage is about one a second in each conversation, with a burst; every other method has so many
calls a minute in each workspace. A refused call is not counted.
"""

import math
from collections import defaultdict
from collections.abc import Callable

from tests.slack.refusal import ratelimited
from tests.telegram.limits import Bucket, Window

TIERS = {
    "chat.update": 50,
    "chat.delete": 50,
    "chat.postephemeral": 100,
    "chat.getpermalink": 600,
    "conversations.history": 50,
    "conversations.replies": 50,
    "conversations.info": 50,
    "conversations.open": 50,
    "conversations.members": 100,
    "users.info": 100,
    "users.conversations": 50,
    "views.open": 100,
    "views.push": 100,
    "views.update": 100,
    "views.publish": 100,
    "files.getuploadurlexternal": 100,
    "files.completeuploadexternal": 100,
}


class Limits:
    """`enabled = False` switches them off; `refusals` counts the 429s by method."""

    def __init__(self, clock: Callable[[], float], *, enabled: bool = True, burst: int = 5) -> None:
        self.enabled = enabled
        self.refusals: defaultdict[str, int] = defaultdict(int)
        self._clock = clock
        self._burst = burst
        self._buckets: dict[tuple[str, str], Window | Bucket] = {}

    def spend(self, method: str, team: str, channel: str) -> None:
        """One call, or the 429 that says when it may come."""
        if not self.enabled:
            return
        bucket = self._bucket(method.lower(), team, channel)
        if bucket is None:
            return
        now = self._clock()
        wait = bucket.wait(now)
        if wait > 0:
            self.refusals[method] += 1
            raise ratelimited(max(1, math.ceil(wait - 1e-9)))
        bucket.count(now)

    def _bucket(self, method: str, team: str, channel: str) -> Window | Bucket | None:
        if method == "chat.postmessage":
            return self._buckets.setdefault((method, channel), Bucket(1.0, self._burst))
        if method in TIERS:
            return self._buckets.setdefault((method, team), Window(TIERS[method], 60.0))
        return None
