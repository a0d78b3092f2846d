"""Logging: text for people, JSON for machines; the job on every line; secrets on none."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from pythonjsonlogger.json import JsonFormatter

from shared.links import RedactTokens
from shared.settings import Settings

_job: ContextVar[tuple[str, int] | None] = ContextVar("job", default=None)


@contextmanager
def job_context(job_id: UUID, attempt: int) -> Iterator[None]:
    """Every log line written inside names the job and the attempt."""
    token = _job.set((str(job_id), attempt))
    try:
        yield
    finally:
        _job.reset(token)


class AddContext(logging.Filter):
    """Puts the current job on a record."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Never drops a record."""
        job = _job.get()
        record.job_id, record.attempt = job if job else ("-", 0)
        return True


def set_up_logging(settings: Settings) -> None:
    """Configure the root logger, once, at start."""
    handler = logging.StreamHandler(sys.stderr)
    wants_text = settings.log_format == "text" or (settings.log_format == "auto" and sys.stderr.isatty())
    if wants_text:
        handler.setFormatter(
            logging.Formatter("%(asctime)s %(levelname)-7s %(name)s [%(job_id)s] %(message)s")
        )
    else:
        fields = "%(asctime)s %(levelname)s %(name)s %(job_id)s %(attempt)s %(message)s"
        handler.setFormatter(JsonFormatter(fields, rename_fields={"asctime": "time", "levelname": "level"}))
    handler.addFilter(AddContext())
    handler.addFilter(RedactTokens())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    for noisy in ("httpx", "aiormq", "alembic"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
