"""One web endpoint and two workers: links, cancels and progress find their way between processes."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from uuid import UUID

import pytest
from websockets.sync.client import connect

from shared.queue import open_queue
from shared.queue.amqp.topology import EVENTS, event_key
from tests.numbers import numbers
from tests.processes.cluster import PATIENCE, Cluster, gone
from tests.waiting import until

SLOW, MEDIUM = 10_000, 200_000  # bytes a second: nearly two minutes, and six seconds


@pytest.fixture
def cluster(shared_cluster: Cluster) -> Iterator[Cluster]:
    """The module's cluster, with nothing to do at the beginning and at the end."""
    yield shared_cluster
    left = [str(row["id"]) for row in shared_cluster.rows("jobs") if row["state"] in ("queued", "running")]
    shared_cluster.cancel(*left)


def test_a_link_sent_to_the_web_process_is_carried_by_a_worker(cluster: Cluster) -> None:
    done = cluster.ended(cluster.ask(cluster.link()))
    assert done["state"] == "done"
    video = next(artifact for artifact in done["artifacts"] if artifact["kind"] == "video")
    path = video["url"].partition(f":{cluster.port}")[2]
    assert len(cluster.api.get(path).content) == video["size_bytes"]


def test_two_workers_carry_two_jobs_at_once(cluster: Cluster) -> None:
    both = [cluster.ask(cluster.link(SLOW)) for _ in range(2)]
    for job_id in both:
        cluster.downloading(job_id)
    assert cluster.carrier(both[0]) is not cluster.carrier(both[1])


def test_a_cancel_through_the_api_reaches_the_worker_long_before_its_heartbeat(cluster: Cluster) -> None:
    job_id = cluster.ask(cluster.link(SLOW))
    cluster.downloading(job_id)
    worker = cluster.carrier(job_id)
    of_the_job = worker.job_processes()
    assert of_the_job
    assert cluster.api.post(f"/api/jobs/{job_id}/cancel").status_code == 202
    ended = cluster.ended(job_id)
    assert (ended["state"], ended["error"]["code"]) == ("cancelled", "cancelled")
    until(lambda: gone(of_the_job))
    until(lambda: not (cluster.data / "work" / job_id).exists())


def test_a_cancel_on_the_command_line_reaches_the_worker(cluster: Cluster) -> None:
    job_id = cluster.ask(cluster.link(SLOW))
    cluster.downloading(job_id)
    of_the_job = cluster.carrier(job_id).job_processes()
    done = cluster.run("jobs", "cancel", job_id)
    assert (done.returncode, done.stdout) == (0, "Cancelled.\n")
    assert cluster.ended(job_id)["state"] == "cancelled"
    until(lambda: gone(of_the_job))


def test_a_queued_job_that_was_cancelled_never_starts(cluster: Cluster) -> None:
    running = [cluster.ask(cluster.link(SLOW)) for _ in range(2)]
    for job_id in running:
        cluster.downloading(job_id)
    cancelled, next_one = cluster.ask(cluster.link()), cluster.ask(cluster.link())
    cluster.cancel(cancelled, running[0])
    assert cluster.ended(next_one)["state"] == "done"
    assert (cluster.row(cancelled)["state"], cluster.row(cancelled)["attempt"]) == ("cancelled", 0)


def test_the_backlog_waits_in_rabbitmq_while_every_slot_is_busy(cluster: Cluster) -> None:
    running = [cluster.ask(cluster.link(SLOW)) for _ in range(2)]
    for job_id in running:
        cluster.downloading(job_id)
    waiting = [cluster.ask(cluster.link(SLOW)) for _ in range(5)]
    until(lambda: cluster.depth() >= 5)  # a janitor may have added one too many, which harms nobody
    health = cluster.api.get("/health")
    assert health.status_code == 200 and health.json()["checks"]["workers"]["ok"]
    told = numbers(cluster.api.get("/metrics").text)
    assert (told['linkferry_jobs{state="queued"}'], told['linkferry_jobs{state="running"}']) == (5, 2)
    assert told["linkferry_queue_messages"] >= 5
    assert told["linkferry_oldest_queued_age_seconds"] > 0
    assert (told["linkferry_workers"], told["linkferry_worker_slots"]) == (2, 2)
    assert [cluster.view(job_id)["position"] for job_id in waiting] == [1, 2, 3, 4, 5]
    doctor = cluster.run("doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert (
        "ok    queue         RabbitMQ" in doctor.stdout and "5 queued, 2 running, the oldest" in doctor.stdout
    )


def test_progress_reaches_a_watcher_at_another_process(cluster: Cluster) -> None:
    job_id = cluster.ask(cluster.link(MEDIUM))
    with connect(f"ws://127.0.0.1:{cluster.port}/api/jobs/{job_id}/events") as socket:
        views = [json.loads(message) for message in socket]
    assert views[-1]["state"] == "done"
    moved = [view["progress"]["done"] for view in views if view["stage"] == "download" and view["progress"]]
    assert len(set(moved)) > 1
    assert moved == sorted(moved)


async def test_any_process_that_reaches_rabbitmq_can_watch_a_job(cluster: Cluster) -> None:
    job_id = cluster.ask(cluster.link(SLOW))
    queue = open_queue(cluster.rabbit.url)
    await queue.start()
    async with asyncio.timeout(PATIENCE), queue.watch(UUID(job_id)) as events:
        while (event := await anext(events))["stage"] != "download" or "done" not in event:
            pass
    await queue.close()
    assert event["done"] > 0


def test_a_watcher_that_never_reads_slows_nobody(cluster: Cluster) -> None:
    job_id = cluster.ask(cluster.link(MEDIUM))
    cluster.downloading(job_id)
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.connect(("127.0.0.1", cluster.port))
        deaf.sendall(
            f"GET /api/jobs/{job_id}/events HTTP/1.1\r\nHost: 127.0.0.1:{cluster.port}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        assert deaf.recv(12) == b"HTTP/1.1 101"
        drown(cluster, job_id)
        assert cluster.ended(job_id)["state"] == "done"
        with connect(f"ws://127.0.0.1:{cluster.port}/api/jobs/{job_id}/events") as keen:
            assert json.loads(keen.recv())["state"] == "done"
        quick = cluster.ask(cluster.link())
        assert cluster.ended(quick)["state"] == "done"


def drown(cluster: Cluster, job_id: str) -> None:
    """More events of the job than any buffer on the way holds: 40 MB."""
    event = json.dumps({"stage": "download", "done": 1, "filler": "x" * 8000}).encode()
    with cluster.rabbit.admin() as connection:
        channel = connection.channel()
        for number in range(5000):
            channel.basic_publish(EVENTS, event_key(job_id), event)  # type: ignore[arg-type]
            if number % 50 == 0:
                time.sleep(0.005)  # else the broker drops most of them before the web process sees them
