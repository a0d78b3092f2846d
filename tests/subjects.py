"""What the lines of a log are about, as the root handler would write it."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from shared.telemetry import AddContext


class _Keeper(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.addFilter(AddContext())
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


@contextmanager
def recorded() -> Iterator[list[logging.LogRecord]]:
    """Every line of the block, with what it is about."""
    keeper, root = _Keeper(), logging.getLogger()
    level = root.level
    root.addHandler(keeper)
    root.setLevel(logging.INFO)
    try:
        yield keeper.records
    finally:
        root.setLevel(level)
        root.removeHandler(keeper)


def subject(records: list[logging.LogRecord], words: str) -> dict[str, object]:
    """What the first line with these words is about."""
    record = next(record for record in records if words in record.getMessage())
    names = ("platform", "request_id", "job_id", "attempt")
    return {name: getattr(record, name) for name in names if hasattr(record, name)}
