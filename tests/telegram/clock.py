"""A clock that tests move by hand, so that no test waits for a minute to pass."""


class Clock:
    """Unix seconds that stand still until `advance`: `TelegramDouble(clock=Clock())`."""

    def __init__(self, now: float = 1_790_000_000) -> None:
        self.now = float(now)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
