"""A worker that stands still past its lease while its child goes on: two attempts at one job at once."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.chaos.cluster import LEASE, Cluster, Member, open_cluster
from tests.chaos.ending import judge
from tests.chaos.evidence import running_jobs
from tests.chaos.history import say
from tests.chaos.plan import Ask, Expected, slowly
from tests.site.server import MediaSite

RATE = 90_000  # bytes a second: the download takes 12 s, three leases
FROZEN = 2.5 * LEASE
PATIENCE = 120.0

pytestmark = pytest.mark.slow


async def test_two_attempts_at_once_do_not_mix_up_a_download(tmp_path: Path, site: MediaSite) -> None:
    plan = [Ask(0, 0.0, "ann", slowly(0, RATE), Expected.OK)]
    async with open_cluster(tmp_path, site, plan) as cluster:
        await cluster.start()
        victim = await _carrier(cluster)
        await asyncio.sleep(1.5)  # in the middle of the download
        victim.send(signal.SIGSTOP)
        await asyncio.sleep(FROZEN)
        victim.send(signal.SIGCONT)
        verdict = await judge(cluster, plan, PATIENCE)
    say(str(verdict))
    assert not verdict.problems, verdict
    assert verdict.table["lease steals"] == 1


async def _carrier(cluster: Cluster) -> Member:
    """The worker that has the job."""
    async with asyncio.timeout(PATIENCE):
        while True:
            for worker in cluster.workers:
                if await running_jobs(cluster.database_url, worker.pids[-1]):
                    return worker
            await asyncio.sleep(0.1)
