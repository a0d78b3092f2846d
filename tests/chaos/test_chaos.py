"""The run: requests and nemeses at once, then heal, wait until it is quiet, and judge."""

import os
import random
import time
from pathlib import Path

import pytest

from tests.chaos.cluster import open_cluster
from tests.chaos.ending import judge
from tests.chaos.history import say
from tests.chaos.nemeses import Nemeses
from tests.chaos.plan import make_plan, span
from tests.site.server import MediaSite

JOBS = int(os.environ.get("CHAOS_JOBS") or 60)
SEED = int(os.environ.get("CHAOS_SEED") or random.randrange(1_000_000))
QUIET_WITHIN = 150.0 + JOBS / 4  # seconds from healing until nothing waits
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
        verdict = await judge(cluster, plan, QUIET_WITHIN)
        verdict.table["nemeses"] = nemeses.happened
        say(f"{verdict}\n{time.monotonic() - began:.0f} s, seed {SEED}")
    assert not verdict.problems, f"seed {SEED}, logs in {tmp_path}\n{verdict}"
