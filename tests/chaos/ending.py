"""The end of a run: heal everything, wait until it is quiet, stop, look, and judge."""

import asyncio
import hashlib
import re
import time

from shared.database import Database
from tests.chaos.chat import Mood
from tests.chaos.checker import Acknowledged, Run, Verdict, check
from tests.chaos.cluster import Cluster
from tests.chaos.evidence import Evidence, collect, what_waits
from tests.chaos.history import say
from tests.chaos.plan import Ask


async def judge(cluster: Cluster, plan: list[Ask], patience: float) -> Verdict:
    """The verdict, after at most `patience` seconds of waiting for quiet; every process has ended then."""
    await _heal(cluster)
    healed = time.monotonic()
    loud = await _until_quiet(cluster, patience)
    say(f"quiet {time.monotonic() - healed:.1f} s after healing")
    stopped_badly = await cluster.stop()
    evidence = await collect(cluster)
    evidence.processes = await _leftovers(cluster)
    evidence.wrongs += [*loud, *stopped_badly]
    return check(_run(plan, cluster, evidence))


async def _heal(cluster: Cluster) -> None:
    """Everything is up, and stays so."""
    cluster.chat.mood = Mood.UP
    cluster.to_broker.refusing = False
    await asyncio.to_thread(cluster.start_broker)
    await asyncio.to_thread(cluster.start_database)
    cluster.revive()


async def _until_quiet(cluster: Cluster, patience: float) -> list[str]:
    """Wait until nothing waits any more; what still does when the time is up."""
    database = Database(cluster.database_url)
    ends = time.monotonic() + patience
    try:
        while time.monotonic() < ends:
            async with database.read() as session:
                waits = await what_waits(session)
            if cluster.history.all("all said") and not any(waits.values()):
                return []
            await asyncio.sleep(0.25)
        return [f"not quiet after {patience:.0f} s: {waits}"]
    finally:
        await database.close()


async def _leftovers(cluster: Cluster) -> list[str]:
    """What outlives its worker; the kernel needs a moment to end it."""
    for _ in range(300):
        if not cluster.leftovers():
            break
        await asyncio.sleep(0.1)
    return cluster.leftovers()


def _run(plan: list[Ask], cluster: Cluster, evidence: Evidence) -> Run:
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
        original=hashlib.sha256((cluster.site.root / "media" / "sample.mp4").read_bytes()).hexdigest(),
        counts={
            "crashes": len([hit for hit in history.all("hit") if hit["how"] not in ("frozen", "outage")]),
            "lease steals": steals,
            "fenced writes": log.count("somebody else has the job now"),
            "edits": cluster.chat.edits,
            "answers dropped": cluster.chat.dropped,
        },
    )
