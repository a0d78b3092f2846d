"""Files in a bucket with everything real around it: web, worker and bots as processes, and S3 by moto.

The bucket is behind a proxy that can break things, on an origin of its own, as AWS's is.
"""

import asyncio
import hashlib
import signal
import threading
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
        """What a browser gets behind a link: it follows it into the bucket, where the whole file is."""
        ours = self.cluster.api.get(self.path_of(artifact["download_url"]))
        assert (ours.status_code, ours.headers["cache-control"]) == (302, "no-store")
        assert ours.headers["location"].startswith(f"{self.faulty.url}/{self.bucket.name}/")
        with httpx.Client(trust_env=False, timeout=PATIENCE) as browser:
            got = browser.get(ours.headers["location"])
        whole = (artifact["size_bytes"], artifact["sha256"])
        assert (len(got.content), hashlib.sha256(got.content).hexdigest()) == whole, artifact
        return got

    def parts_sent(self) -> set[str]:
        """Which of the first three parts somebody has sent since the proxy was healed."""
        paths = [seen.path for seen in self.faulty.seen if seen.is_part]
        return {part for part in ("1", "2", "3") if any(f"partNumber={part}&" in path for path in paths)}

    def parts_there(self) -> int:
        """How many parts of the upload that has begun have arrived."""
        (upload,) = self.uploads()
        where = {"Bucket": self.bucket.name, "Key": upload["Key"], "UploadId": upload["UploadId"]}
        return len(self.bucket.client.list_parts(**where).get("Parts", []))

    def uploads(self) -> list[Any]:
        """The uploads that have begun and not ended."""
        listed = self.bucket.client.list_multipart_uploads(Bucket=self.bucket.name)
        return list(listed.get("Uploads", []))


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
    link = place.cluster.site.url("/watch/sample")
    await into_both_chats(link, towns, place)
    job_id = await asyncio.to_thread(place.cluster.ask, f"/get {link} subs en")
    done = await asyncio.to_thread(place.cluster.ended, job_id)
    await asyncio.to_thread(into_every_browser, done, place)
    await asyncio.to_thread(onto_a_disk, link, tmp_path / "films", place)
    await asyncio.to_thread(and_out_of_the_bucket, done, place)


async def into_both_chats(link: str, towns: tuple[TelegramTown, SlackTown], place: Place) -> None:
    """Telegram shows the film, Slack the transcript."""
    telegram, slack = towns
    await telegram.chat.sends(f"/get {link} subs en")
    film = await telegram.shows(is_film)
    assert film.media is not None and film.media.content == telegram.film()
    await slack.runs(f"/subs {link} en")
    await slack.delivered(2)
    (file,) = slack.channel.files
    transcripts = [row["sha256"] for row in place.cluster.rows("artifacts", kind="transcript")]
    assert hashlib.sha256(file.content).hexdigest() in transcripts


def into_every_browser(done: dict[str, Any], place: Place) -> None:
    """Links lead to the files in the bucket, which are nowhere else; the page may show them from there."""
    cluster, stored = place.cluster, place.stored()
    for artifact in done["artifacts"]:
        got = place.fetched(artifact)
        assert got.content in stored.values()
        assert got.headers["content-disposition"].startswith("attachment;")
    assert len(stored) == len(cluster.rows("artifacts"))
    assert not (cluster.data / "files").exists(), "nothing is kept on this machine"
    assert not list((cluster.data / "scratch").glob("*")), "nor are copies"
    page = cluster.api.get(place.path_of(done["watch_url"]))
    assert page.status_code == 200
    assert f"media-src 'self' {place.faulty.url};" in page.headers["content-security-policy"]


def onto_a_disk(link: str, folder: Path, place: Place) -> None:
    """`linkferry get` saves what is in the bucket already."""
    stored = set(place.stored().values())
    saved = place.cluster.run("get", link, "--quality", "1080p", "--subs", "en", "--output", str(folder))
    assert saved.returncode == 0, saved.stderr
    assert {path.read_bytes() for path in folder.iterdir()} <= stored


def and_out_of_the_bucket(done: dict[str, Any], place: Place) -> None:
    """What an operator revokes is gone, and nothing else."""
    count = len(place.stored())
    report = place.cluster.run("storage", "report")
    assert f"{count} files" in report.stdout and "left over     0 files" in report.stdout
    gone = place.cluster.run("storage", "revoke", done["job_id"])
    assert gone.returncode == 0, gone.stderr
    for artifact in done["artifacts"]:
        assert place.cluster.api.get(place.path_of(artifact["download_url"])).status_code == 404
    assert len(place.stored()) == count - len(done["artifacts"])


def test_a_worker_that_is_killed_while_it_uploads_leaves_the_rest_to_another(
    cluster: Cluster, place: Place
) -> None:
    cluster.web()
    job_id = killed_while_uploading(place)
    cluster.worker()
    done = cluster.ended(job_id)
    assert done["state"] == "done", done["error"]
    assert place.parts_sent() == {"3"}, "what had arrived was not sent again"
    row = cluster.row(job_id)
    assert (row["attempt"], row["crashes"]) == (2, 1)
    (video,) = [artifact for artifact in done["artifacts"] if artifact["kind"] == "video"]
    place.fetched(video)
    known = {row["storage_key"] for row in cluster.rows("artifacts")}
    left = place.stored().keys() - known  # small files of the first attempt: a sweep takes them in an hour
    assert known < place.stored().keys() and all(key.startswith(f"{job_id}/1.") for key in left)
    assert place.uploads() == []


def killed_while_uploading(place: Place) -> str:
    """The id of a job whose worker is killed when two of its video's three parts have arrived."""
    worker, killed = place.cluster.worker(), threading.Event()

    def never_arrives() -> None:
        killed.wait(PATIENCE)
        raise ConnectionAbortedError

    place.faulty.call(lambda seen: seen.is_part and "partNumber=3" in seen.path, never_arrives)
    job_id = place.cluster.ask(place.cluster.site.url("/big/30MB.mp4?n=1"))
    until(lambda: place.parts_sent() == {"1", "2", "3"}, "no parts are sent")
    until(lambda: place.parts_there() == 2, "two parts arrive")
    worker.send(signal.SIGKILL)
    worker.wait()
    killed.set()
    place.faulty.heal()
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()  # moto says a day of 2010
    place.faulty.edit(
        lambda seen: "uploads" in seen.path, lambda xml: xml.replace(b"2010-11-10T20:48:33.000Z", now)
    )
    return job_id


def test_up_alone_keeps_its_files_in_the_bucket_too(cluster: Cluster, place: Place) -> None:
    cluster.settings |= {"QUEUE_URL": "embedded", "DATABASE_URL": ""}
    up = cluster.start("up")
    until(lambda: not up.runs() or up.says("listening"))
    job_id = cluster.ask(cluster.site.url("/watch/sample"))
    until(lambda: cluster.view(job_id)["state"] not in ("queued", "running"))
    done = cluster.view(job_id)
    assert done["state"] == "done", done["error"]
    for artifact in done["artifacts"]:
        place.fetched(artifact)
