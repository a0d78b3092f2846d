"""Files in a bucket with everything real around it: web, worker and bots as processes, and S3 by moto.

The bucket is behind a proxy that can break things, on an origin of its own, as AWS's is.
"""

import asyncio
import hashlib
import signal
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import pytest_asyncio

from shared.settings import Settings
from shared.storage.s3.bucket import Bucket, open_bucket
from tests.bots.slack.conftest import double
from tests.processes.cluster import PATIENCE, Cluster
from tests.processes.test_slack import Town as SlackTown
from tests.processes.test_telegram import Town as TelegramTown
from tests.processes.test_telegram import is_film
from tests.shared.storage.conftest import credentials, faulty, moto, s3_settings
from tests.shared.storage.faulty import FaultyS3
from tests.telegram.double import TelegramDouble
from tests.waiting import until

__all__ = ["credentials", "faulty", "moto"]


class Place:
    """A bucket, and a cluster that keeps its files there."""

    def __init__(self, cluster: Cluster, faulty: FaultyS3) -> None:
        self.cluster = cluster
        self.faulty = faulty
        known: Settings = s3_settings(faulty.url)
        self.bucket: Bucket = open_bucket(known)
        self.bucket.client.create_bucket(Bucket=self.bucket.name)
        cluster.settings |= {
            "STORAGE": "s3", "S3_BUCKET": self.bucket.name, "S3_ENDPOINT_URL": faulty.url, "LEASE": "5",
        }  # fmt: skip

    def stored(self) -> dict[str, bytes]:
        """What lies in the bucket, by key."""
        found = self.bucket.client.list_objects_v2(Bucket=self.bucket.name).get("Contents", [])
        return {
            one["Key"].removeprefix("linkferry/"): self.bucket.client.get_object(
                Bucket=self.bucket.name, Key=one["Key"]
            )["Body"].read()
            for one in found
        }

    def path_of(self, url: str) -> str:
        """The part of one of our links that the web process sees."""
        return urlsplit(url).path

    def fetched(self, artifact: dict[str, Any]) -> httpx.Response:
        """What a browser gets behind a link: it follows it into the bucket."""
        ours = self.cluster.api.get(self.path_of(artifact["download_url"]))
        assert (ours.status_code, ours.headers["cache-control"]) == (302, "no-store")
        assert ours.headers["location"].startswith(f"{self.faulty.url}/{self.bucket.name}/")
        with httpx.Client(trust_env=False) as browser:
            return browser.get(ours.headers["location"])


@pytest.fixture
def place(cluster: Cluster, faulty: FaultyS3) -> Place:
    return Place(cluster, faulty)


@pytest_asyncio.fixture
async def towns(place: Place) -> AsyncIterator[tuple[TelegramTown, SlackTown]]:
    """Ann in both chats, with everything running."""
    async with TelegramDouble(allow_http=True) as telegram, double(ack_patience=PATIENCE) as slack:
        by_telegram, by_slack = TelegramTown(place.cluster, telegram), SlackTown(place.cluster, slack)
        place.cluster.settings |= by_telegram.settings | by_slack.socket
        await asyncio.to_thread(place.cluster.web)
        await by_slack.bots()
        await asyncio.to_thread(place.cluster.worker)
        yield by_telegram, by_slack
        for process in place.cluster.processes:
            log = await asyncio.to_thread(process.log.read_text)
            assert "Signature=" not in log, "nobody's log tells what opens a file"
            await asyncio.to_thread(process.end)


async def test_a_link_goes_through_the_bucket_into_both_chats_and_every_browser(
    towns: tuple[TelegramTown, SlackTown], place: Place, tmp_path: Path
) -> None:
    telegram, slack = towns
    cluster = place.cluster
    link = cluster.site.url("/watch/sample")
    await telegram.chat.sends(f"/get {link} subs en")
    film = await telegram.shows(is_film)
    assert film.media is not None and film.media.content == telegram.film()
    await slack.runs(f"/subs {link} en")
    await slack.delivered(2)
    (file,) = slack.channel.files
    transcripts = [row["sha256"] for row in cluster.rows("artifacts", kind="transcript")]
    assert hashlib.sha256(file.content).hexdigest() in transcripts

    done = await asyncio.to_thread(
        cluster.ended, await asyncio.to_thread(cluster.ask, f"/get {link} subs en")
    )
    stored = await asyncio.to_thread(place.stored)
    for artifact in done["artifacts"]:
        got = await asyncio.to_thread(place.fetched, artifact)
        assert hashlib.sha256(got.content).hexdigest() == artifact["sha256"], artifact
        assert got.content in stored.values()
        assert got.headers["content-disposition"].startswith("attachment;")
    assert len(stored) == len(cluster.rows("artifacts"))
    assert not (cluster.data / "files").exists(), "nothing is kept on this machine"
    assert not list((cluster.data / "scratch").glob("*")), "nor are copies"

    page = await asyncio.to_thread(cluster.api.get, place.path_of(done["watch_url"]))
    assert page.status_code == 200
    assert f"media-src 'self' {place.faulty.url};" in page.headers["content-security-policy"]

    folder = tmp_path / "films"
    saved = await asyncio.to_thread(
        cluster.run, "get", link, "--quality", "1080p", "--subs", "en", "--output", str(folder)
    )
    assert saved.returncode == 0, saved.stderr
    assert {path.read_bytes() for path in folder.iterdir()} <= set(stored.values())

    report = await asyncio.to_thread(cluster.run, "storage", "report")
    assert f"{len(stored)} files" in report.stdout and "left over     0 files" in report.stdout
    gone = await asyncio.to_thread(cluster.run, "storage", "revoke", done["job_id"])
    assert gone.returncode == 0, gone.stderr
    for artifact in done["artifacts"]:
        answer = await asyncio.to_thread(cluster.api.get, place.path_of(artifact["download_url"]))
        assert answer.status_code == 404
    assert len(await asyncio.to_thread(place.stored)) == len(stored) - len(done["artifacts"])


def test_a_worker_that_is_killed_while_it_uploads_leaves_the_rest_to_another(
    cluster: Cluster, place: Place
) -> None:
    cluster.web()
    first = cluster.worker()
    killed = threading.Event()

    def never_arrives() -> None:
        killed.wait(PATIENCE)
        raise ConnectionAbortedError

    place.faulty.call(lambda seen: seen.is_part and "partNumber=3" in seen.path, never_arrives)
    job_id = cluster.ask(cluster.site.url("/big/30MB.mp4?n=1"))

    def arrived() -> set[str]:
        paths = [seen.path for seen in place.faulty.seen if seen.is_part]
        return {part for part in ("1", "2", "3") if any(f"partNumber={part}&" in path for path in paths)}

    until(lambda: arrived() == {"1", "2", "3"}, "no parts are sent")
    uploads = place.bucket.client.list_multipart_uploads(Bucket=place.bucket.name)["Uploads"]
    where = {"Bucket": place.bucket.name, "Key": uploads[0]["Key"], "UploadId": uploads[0]["UploadId"]}
    until(lambda: len(place.bucket.client.list_parts(**where).get("Parts", [])) == 2, "two parts arrive")
    first.send(signal.SIGKILL)
    first.wait()
    killed.set()
    place.faulty.heal()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()  # moto says a day of 2010
    place.faulty.edit(
        lambda seen: "uploads" in seen.path, lambda xml: xml.replace(b"2010-11-10T20:48:33.000Z", now)
    )
    cluster.worker()
    done = cluster.ended(job_id)
    assert done["state"] == "done", done["error"]
    assert arrived() == {"3"}, "what had arrived was not sent again"
    row = cluster.row(job_id)
    assert (row["attempt"], row["crashes"]) == (2, 1)
    (video,) = [artifact for artifact in done["artifacts"] if artifact["kind"] == "video"]
    got = place.fetched(video)
    assert (len(got.content), hashlib.sha256(got.content).hexdigest()) == (
        video["size_bytes"],
        video["sha256"],
    )
    known = {row["storage_key"] for row in cluster.rows("artifacts")}
    left = place.stored().keys() - known  # small files of the first attempt: a sweep takes them in an hour
    assert known < place.stored().keys() and all(key.startswith(f"{job_id}/1.") for key in left)
    assert "Uploads" not in place.bucket.client.list_multipart_uploads(Bucket=place.bucket.name)


def test_up_alone_keeps_its_files_in_the_bucket_too(cluster: Cluster, place: Place) -> None:
    cluster.settings |= {"QUEUE_URL": "embedded", "DATABASE_URL": ""}
    up = cluster.start("up")
    until(lambda: not up.runs() or up.says("listening"))
    done = cluster.api.post("/api/requests", json={"text": cluster.site.url("/watch/sample")}).json()[0][
        "job"
    ]
    end = time.monotonic() + PATIENCE
    while done["state"] in ("queued", "running"):
        assert time.monotonic() < end
        time.sleep(0.1)
        done = cluster.view(done["job_id"])
    assert done["state"] == "done", done["error"]
    for artifact in done["artifacts"]:
        got = place.fetched(artifact)
        assert hashlib.sha256(got.content).hexdigest() == artifact["sha256"]
    assert not (cluster.data / "files").exists()
    assert up.stop() == 0
