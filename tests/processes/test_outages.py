"""The broker or the database restarts under running processes: every job ends, nothing twice."""

import time
from collections.abc import Iterator

import pytest

from tests.processes.cluster import Cluster
from tests.services import PrivatePostgres, start_broker, stop_broker
from tests.waiting import until

MEDIUM = 150_000  # bytes a second; the video has a good million


@pytest.fixture(autouse=True)
def servers_run_again(cluster: Cluster) -> Iterator[None]:
    """Whatever a test that failed had stopped."""
    yield
    start_broker()
    if not cluster.postgres.running():
        cluster.postgres.start()


def busy(cluster: Cluster) -> list[str]:
    """Web, two workers, two jobs on their way and two that wait."""
    cluster.web()
    cluster.workers(2, LEASE="15")  # a restart takes its time
    running = [cluster.ask(cluster.link(MEDIUM)) for _ in range(2)]
    for job_id in running:
        cluster.downloading(job_id)
    return [*running, *(cluster.ask(cluster.link()) for _ in range(2))]


def assert_all_done_once(cluster: Cluster, job_ids: list[str]) -> None:
    """Every job is done, with the files of one attempt; nothing waits any more."""
    for job_id in job_ids:
        assert cluster.ended(job_id)["state"] == "done"
        kinds = [row["kind"] for row in cluster.rows("artifacts", job_id=job_id)]
        assert kinds.count("video") == 1
        assert len(list((cluster.data / "files" / job_id).iterdir())) == len(kinds)
    until(lambda: cluster.depth() == 0)
    until(lambda: cluster.rows("outbox") == [])


def test_a_broker_that_restarts_costs_nothing(cluster: Cluster) -> None:
    job_ids = busy(cluster)
    stop_broker()
    during = cluster.ask(cluster.link())
    until(lambda: not cluster.is_well("broker"))
    health = cluster.api.get("/health")
    assert (health.status_code, health.json()["status"]) == (200, "warning"), (
        "requests are taken all the same"
    )
    assert cluster.is_well("database")
    doctor = cluster.run("doctor")
    assert doctor.returncode == 1
    assert "fix   queue         RabbitMQ. It does not answer" in doctor.stdout
    assert "workers       2 running, 2 jobs at once" in doctor.stdout
    start_broker()
    assert_all_done_once(cluster, [*job_ids, during])
    assert [cluster.row(job_id)["attempt"] for job_id in job_ids] == [1] * 4
    until(lambda: cluster.is_well("broker"))


def test_a_database_that_restarts_costs_nothing(cluster: Cluster, postgres: PrivatePostgres) -> None:
    job_ids = busy(cluster)
    postgres.stop()
    until(lambda: cluster.api.get("/health").status_code == 503)
    assert not cluster.is_well("database") and cluster.is_well("broker")
    time.sleep(1)  # so that workers meet the outage
    postgres.start()
    assert_all_done_once(cluster, job_ids)
    for job in cluster.rows("jobs"):
        assert (job["attempt"], job["crashes"], job["failures"]) == (1, 0, 0), "the work done so far was kept"
    until(lambda: cluster.api.get("/health").status_code == 200)
