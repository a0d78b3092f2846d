"""The run: requests and nemeses at once, then heal, wait until it is quiet, and judge."""

import asyncio
import os
import random
import re
import time
from pathlib import Path

import pytest

from shared.database import Database
from tests.chaos.chat import Mood
from tests.chaos.checker import Acknowledged, Run, check
from tests.chaos.cluster import Cluster, open_cluster
from tests.chaos.evidence import Evidence, collect, what_waits
from tests.chaos.history import say
from tests.chaos.nemeses import Nemeses
from tests.chaos.plan import Ask, make_plan, span
from tests.site.server import MediaSite

JOBS = int(os.environ.get("CHAOS_JOBS") or 60)
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))
QUIET_WITHIN = 75.0 + JOBS / 4  # seconds from healing until nothing waits
LIMIT = 60.0 + 1.5 * span(JOBS)  # seconds the nemeses may take

pytestmark = [pytest.mark.slow, pytest.mark.timeout(max(300, LIMIT + QUIET_WITHIN + 120))]


async def test_nothing_is_lost_and_nothing_comes_twice(tmp_path: Path, site: MediaSite) -> None:
    plan = make_plan(SEED, JOBS)
    say(f"\nseed {SEED}, {JOBS} requests: make chaos SEED={SEED} JOBS={JOBS}")
    began = time.monotonic()
    async with open_cluster(tmp_path, site, plan) as cluster:
        await cluster.start()
        nemeses = Nemeses(cluster, SEED)
        await nemeses.run(span(JOBS), LIMIT)
        await _heal(cluster)
        healed = time.monotonic()
        loud = await _until_quiet(cluster)
        say(f"quiet {time.monotonic() - healed:.1f} s after healing")
        stopped_badly = await cluster.stop()
        evidence = await collect(cluster)
        evidence.processes = await _leftovers(cluster)
        evidence.wrongs += [*loud, *stopped_badly]
        verdict = check(_run(plan, cluster, nemeses, evidence))
        say(f"{verdict}\n{time.monotonic() - began:.0f} s, seed {SEED}")
    assert not verdict.problems, f"seed {SEED}, logs in {tmp_path}\n{verdict}"


async def _heal(cluster: Cluster) -> None:
    """Everything is up, and stays so."""
    cluster.chat.mood = Mood.UP
    cluster.to_broker.refusing = False
    await asyncio.to_thread(cluster.start_broker)
    await asyncio.to_thread(cluster.start_database)
    cluster.revive()


async def _until_quiet(cluster: Cluster) -> list[str]:
    """Wait until nothing waits any more; what still does when the time is up."""
    database = Database(cluster.database_url)
    ends = time.monotonic() + QUIET_WITHIN
    try:
        while time.monotonic() < ends:
            async with database.read() as session:
                waits = await what_waits(session)
            if cluster.history.all("all said") and not any(waits.values()):
                return []
            await asyncio.sleep(0.25)
        return [f"not quiet after {QUIET_WITHIN:.0f} s: {waits}"]
    finally:
        await database.close()


async def _leftovers(cluster: Cluster) -> list[str]:
    """What outlives its worker; the kernel needs a moment to end it."""
    for _ in range(50):
        if not cluster.leftovers():
            break
        await asyncio.sleep(0.1)
    return cluster.leftovers()


def _run(plan: list[Ask], cluster: Cluster, nemeses: Nemeses, evidence: Evidence) -> Run:
    history, log = cluster.history, cluster.log_text()
    steals = sum(map(int, re.findall(r"leases that ran out: (\d+)", log)))
    return Run(
        plan=plan,
        attempted={line["ask"] for line in history.all("attempted")},
        acknowledged={
            line["ask"]: Acknowledged(line["request"], line["job"]) for line in history.all("acknowledged")
        },
        cancels={line["ask"] for line in history.all("cancelled")},
        hits=dict(history.hits()),
        evidence=evidence,
        counts={
            "nemeses": len([name for name in nemeses.done if not name.startswith("not reached")]),
            "crashes": len([hit for hit in history.all("hit") if hit["how"] != "frozen"]),
            "lease steals": steals,
            "fenced writes": log.count("somebody else has the job now"),
            "edits": cluster.chat.edits,
            "answers dropped": cluster.chat.dropped,
        },
    )
