"""What one process tells those who watch over it: is it ready, and the numbers for Prometheus."""

import asyncio
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shared import checks
from shared.database import Database
from shared.health import Health, Report
from shared.load import Load
from shared.metrics import REGISTRY
from shared.queue import Queue
from shared.settings import Settings
from shared.storage import Storage

DAY = 86_400  # seconds


@dataclass(frozen=True)
class Sight:
    """What was seen in one moment. None: it could not be, and is not told: a gap says more than a zero."""

    report: Report
    load: Load | None = None
    depth: int | None = None
    disk_free: int | None = None
    disk_reserve: int = 0
    yt_dlp_days: int | None = None


class Monitor:
    """Knows what there is to watch in this process, from `watch` on. `needs`: see `shared.health.NEEDS`."""

    def __init__(self, settings: Settings, needs: frozenset[str]) -> None:
        self._settings = settings
        self._needs = needs
        self._health: Health | None = None

    def watch(self, database: Database, queue: Queue, storage: Storage) -> None:
        """The process is connected, and ready as soon as these are."""
        self._health = Health(self._settings, database, queue, storage, self._needs)

    async def report(self) -> Report:
        """How the process is. Takes 3 s at most; never raises."""
        return await self._health.report() if self._health else Report(status="starting")

    async def metrics(self) -> bytes:
        """Everything, in Prometheus's text format. Takes 3 s at most; what does not answer is left out."""
        now = CollectorRegistry()
        now.register(_Told(gauges(await self._look())))
        return generate_latest(REGISTRY) + generate_latest(now)

    async def _look(self) -> Sight:
        health = self._health
        if health is None:
            return Sight(Report(status="starting"))
        report, load, depth, free = await asyncio.gather(
            health.report(),
            health.load.get(),
            health.depth.get(),
            health.free.get(),
            return_exceptions=True,
        )
        return Sight(
            report if isinstance(report, Report) else Report(status="failing"),
            load if isinstance(load, Load) else None,
            depth if isinstance(depth, int) else None,
            free if isinstance(free, int) else None,
            self._settings.disk_reserve,
            checks.yt_dlp_age(),
        )


class _Told(Collector):
    """Numbers of one moment, for one answer."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> Iterable[Metric]:
        """Them."""
        return self._families


def gauges(sight: Sight) -> Iterator[Metric]:
    """What was seen, as Prometheus's gauges. Pure."""
    healthy = GaugeMetricFamily(
        "linkferry_check_ok", "Whether what /health looks at is well: 1 or 0.", labels=["check"]
    )
    for name, check in sight.report.checks.items():
        healthy.add_metric([name], check.ok)
    yield healthy
    if sight.load is not None:
        yield from _of_the_database(sight.load)
    if sight.depth is not None:
        yield GaugeMetricFamily("linkferry_queue_messages", "Job ids waiting in the queue.", sight.depth)
    if sight.disk_free is not None:
        words = "Bytes free where there is least room for files."
        yield GaugeMetricFamily("linkferry_disk_free_bytes", words, sight.disk_free)
        words = "Bytes that stay free: with less, no job is taken."
        yield GaugeMetricFamily("linkferry_disk_reserve_bytes", words, sight.disk_reserve)
    if sight.yt_dlp_days is not None:
        words = "Time since the installed yt-dlp was released."
        yield GaugeMetricFamily("linkferry_yt_dlp_age_seconds", words, sight.yt_dlp_days * DAY)


def _of_the_database(load: Load) -> Iterator[Metric]:
    jobs = GaugeMetricFamily(
        "linkferry_jobs",
        "Jobs that go on: queued, waiting (for another attempt) or running.",
        labels=["state"],
    )
    for state, count in (("queued", load.queued), ("waiting", load.waiting), ("running", load.running)):
        jobs.add_metric([state], count)
    yield jobs
    numbers: tuple[tuple[str, str, float], ...] = (
        ("oldest_queued_age_seconds", "Age of the oldest job that could start.", load.oldest_queued or 0),
        ("outbox_rows", "Jobs that the queue has not been told of.", load.outbox_rows),
        ("outbox_lag_seconds", "Age of the oldest of them.", load.outbox_lag or 0),
        ("workers", "Workers alive.", len(load.workers)),
        ("worker_slots", "Jobs they can carry at once.", sum(load.workers.values())),
    )
    for name, words, number in numbers:
        yield GaugeMetricFamily(f"linkferry_{name}", words, number)
