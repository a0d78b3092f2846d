"""Workers that are told to stop, told again, or killed: what they carried goes on elsewhere."""

import signal
from contextlib import suppress

import psutil

from tests.processes.cluster import Cluster, gone
from tests.waiting import until

FAST, MEDIUM, SLOW = 500_000, 150_000, 20_000  # bytes a second; the video has a good million


def test_a_worker_told_to_stop_finishes_what_it_carries_and_takes_nothing_new(cluster: Cluster) -> None:
    cluster.web()
    worker = cluster.worker(DRAIN_TIMEOUT="60")
    running = cluster.ask(cluster.link(MEDIUM))
    cluster.downloading(running)
    waiting = cluster.ask(cluster.link())
    for process in worker.children():  # as systemd does it, and whoever signals a process group
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGTERM)
    assert worker.stop() == 0
    assert (cluster.row(running)["state"], cluster.row(running)["attempt"]) == ("done", 1)
    assert (cluster.row(waiting)["state"], cluster.row(waiting)["attempt"]) == ("queued", 0)
    until(lambda: cluster.depth() >= 1)  # a janitor may have added one too many
    assert cluster.rows("workers") == []


def test_a_worker_out_of_time_hands_its_job_to_another_that_resumes_the_download(cluster: Cluster) -> None:
    cluster.web()
    workers = cluster.workers(2, DRAIN_TIMEOUT="1")
    job_id = cluster.ask(cluster.link(MEDIUM))
    until(lambda: cluster.bytes_of(job_id) > 300_000)
    first = cluster.carrier(job_id)
    (second,) = (worker for worker in workers if worker is not first)
    assert first.stop() == 0
    until(lambda: cluster.row(job_id)["worker"] == second.name)
    assert cluster.ended(job_id)["state"] == "done"
    job = cluster.row(job_id)
    assert (job["attempt"], job["crashes"], job["failures"]) == (2, 0, 0)
    (video,) = cluster.rows("artifacts", job_id=job_id, kind="video")
    assert cluster.site.bytes_sent < 1.8 * video["size"], "the second worker went on where the first was"


def test_a_second_signal_stops_a_worker_now_and_its_children_too(cluster: Cluster) -> None:
    cluster.web()
    worker = cluster.worker(DRAIN_TIMEOUT="600")
    cluster.downloading(cluster.ask(cluster.link(SLOW)))
    family = worker.children()
    assert worker.job_processes()
    worker.send(signal.SIGTERM)
    until(lambda: worker.says("stopping"))
    worker.send(signal.SIGTERM)
    worker.wait()
    until(lambda: gone(family))


def test_another_worker_takes_over_from_one_that_was_killed_and_counts_a_crash(cluster: Cluster) -> None:
    cluster.web()
    cluster.workers(2, LEASE="6")
    job_id = cluster.ask(cluster.link(FAST))
    until(lambda: cluster.bytes_of(job_id) > 100_000)
    first = cluster.carrier(job_id)
    family = first.children()
    first.send(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert cluster.ended(job_id)["state"] == "done"
    job = cluster.row(job_id)
    assert (job["attempt"], job["crashes"], job["failures"]) == (2, 1, 0)
    until(lambda: gone(family))


def test_bots_wait_for_a_token_or_a_signal(cluster: Cluster) -> None:
    bots = cluster.start("bots")
    until(lambda: bots.says("no chat platform has a token yet"))
    assert bots.stop() == 0
    assert bots.says("stopped")
