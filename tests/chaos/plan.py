"""What is asked for, and when: decided by the seed alone."""

import random
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from shared.errors import Code

SHORTEST = 90.0  # seconds over which requests arrive: every nemesis gets its turn meanwhile
PACE = 0.75  # seconds between two requests, on average, when there are many
SHARES = {"slow": 34, "quick": 12, "audio": 6, "transcript": 14, "twin": 14, "hopeless": 10, "again": 10}
HOPELESS = ("/tube/private-{n}", "/tube/removed-{n}", "/tube/geo-{n}")
REFUSALS = (Code.PRIVATE, Code.NOT_FOUND, Code.GEO_BLOCKED)  # why those fail, and nothing else may
CANCELLED = 0.2  # of the slow ones


class Expected(StrEnum):
    """How a request may end."""

    OK = "ok"
    FAILED = "failed"  # the site refuses for good


@dataclass(frozen=True)
class Ask:
    """One request. `at` in seconds after the start; `cancel_after` in seconds after its acknowledgement."""

    number: int
    at: float
    who: str
    path: str
    expected: Expected
    options: dict[str, Any] = field(default_factory=dict)
    cancel_after: float | None = None

    @property
    def event_key(self) -> str:
        """The platform's name of the event: the same when it arrives again."""
        return f"chaos-{self.number}"

    @property
    def is_copy(self) -> bool:
        """Whether the result is byte for byte the video that the site sends."""
        return self.expected is Expected.OK and not self.options

    def to_json(self) -> dict[str, Any]:
        """For the publisher, which is another process."""
        return asdict(self)

    @classmethod
    def from_json(cls, found: dict[str, Any]) -> "Ask":
        """What `to_json` wrote."""
        return cls(**found | {"expected": Expected(found["expected"])})


def span(count: int) -> float:
    """Seconds over which so many requests arrive, about."""
    return max(SHORTEST, PACE * count)


def make_plan(seed: int, count: int) -> list[Ask]:
    """`count` requests in the order in which they arrive."""
    chance = random.Random(f"plan {seed}")
    asks: list[Ask] = []
    at = 0.0
    for number in range(count):
        at += chance.uniform(0.2, 1.8) * span(count) / count
        asks.append(_ask(chance, number, round(at, 2), asks))
    return asks


def _ask(chance: random.Random, number: int, at: float, earlier: list[Ask]) -> Ask:
    who = f"person-{chance.randrange(8)}"
    (kind,) = chance.choices(list(SHARES), list(SHARES.values()))
    if kind == "again" and earlier:
        model = chance.choice(earlier[-12:])
        return Ask(number, at, who, model.path, model.expected, model.options)
    if kind == "hopeless":
        return Ask(number, at, who, chance.choice(HOPELESS).format(n=number), Expected.FAILED)
    if kind == "twin":  # two spellings of one video: the second job joins the first
        spelling = chance.choice(("/tube/lowres-{n}", "/tube/watch?v=lowres-{n}&t=3"))
        return Ask(number, at, who, spelling.format(n=number // 6), Expected.OK, {"quality": "480p"})
    if kind == "transcript":
        options = {"media": False, "languages": ["en"]}
        return Ask(number, at, who, f"/embed/sample?n={number}", Expected.OK, options)
    if kind == "quick":
        return Ask(number, at, who, f"/watch/sample?n={number}", Expected.OK)
    if kind == "audio":
        return Ask(number, at, who, slowly(number, 900_000), Expected.OK, {"format": "mp3"})
    cancel_after = round(chance.uniform(0, 3), 2) if chance.random() < CANCELLED else None
    return Ask(
        number,
        at,
        who,
        slowly(number, chance.choice((120_000, 300_000, 500_000))),
        Expected.OK,
        cancel_after=cancel_after,
    )


def slowly(number: int, rate: int) -> str:
    """A page of its own whose video (1.1 MB) comes at `rate` bytes a second."""
    media = quote(f"/fault/trickle/media/sample.mp4?rate={rate}", safe="")
    return f"/embed/sample?n={number}&media={media}"
