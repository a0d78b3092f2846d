"""An S3 on loopback for the session, by moto, and storages in buckets of its own for each test."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import httpx
import pytest

from shared.settings import Settings
from shared.storage import Label, LocalStorage, Storage, StoredKey
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import Bucket, open_bucket
from tests.services import free_port
from tests.shared.storage.faulty import FaultyS3, Seen

START_TIME = 60  # seconds; moto imports for two of them
PART = 256 * 1024  # bytes; small, so that a film of several parts is quickly there
KEY_ID, SECRET = "AKIATESTTESTTESTTEST", "kept-out-of-logs-and-messages"

BIG = 3 * PART + 12_345  # bytes: four parts
KEY, FULL = "job/1.0.video.mp4", "linkferry/job/1.0.video.mp4"
LABEL = Label("video/mp4", "Fährmann.mp4", tags={"job": "j-1", "kind": "video"})

MakeFile = Callable[..., Path]
OpenOne = Callable[..., S3Storage]


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    """The port of an S3 in a process of its own."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.shared.storage.moto_main", str(port)],
        env={**os.environ, "S3_UPLOAD_PART_MIN_SIZE": "1"},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + START_TIME
        while not _answers(port):
            assert process.poll() is None, "moto did not start"
            assert time.monotonic() < deadline, "moto does not answer"
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/moto-api/data.json")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keys that mean nothing, and nobody else to ask for any: no file of ours, no metadata address."""
    nowhere = tmp_path_factory.getbasetemp() / "no-aws"
    for name in ("AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(nowhere / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(nowhere / "credentials"))


@pytest.fixture
def faulty(moto: int) -> Iterator[FaultyS3]:
    """The same S3 through a proxy that can break things."""
    with FaultyS3(moto) as running:
        yield running


def s3_settings(url: str, **more: Any) -> Settings:
    """Settings for a bucket that nobody else uses."""
    fields = {"storage": "s3", "s3_bucket": f"b-{uuid4().hex}", "s3_endpoint_url": url, **more}
    return Settings(_env_file=None, **fields)


@pytest.fixture
def open_one(faulty: FaultyS3, tmp_path: Path) -> Iterator[OpenOne]:
    """Opens storages behind the proxy, in one new bucket, as processes of their own would."""
    settings = s3_settings(faulty.url)
    bucket = open_bucket(settings)
    bucket.client.create_bucket(Bucket=bucket.name)
    opened = []

    def open_storage(kept_unfinished: float = 0, **more: Any) -> S3Storage:
        changed = settings.model_copy(update=more)
        storage = S3Storage(
            open_bucket(changed),
            part=PART,
            kept_unfinished=kept_unfinished,
            scratch=tmp_path / "scratch",
            reserve=changed.disk_reserve,
        )
        opened.append(storage)
        return storage

    open_storage.bucket = bucket  # type: ignore[attr-defined]
    faulty.heal()
    yield open_storage
    for storage in opened:
        storage.close()
    bucket.client.close()


@pytest.fixture
def s3(open_one: OpenOne) -> S3Storage:
    """A storage in a bucket of its own, behind the proxy."""
    return open_one()


@pytest.fixture
def bucket(open_one: OpenOne) -> Bucket:
    """The bucket of this test, as somebody else sees it."""
    found: Bucket = open_one.bucket  # type: ignore[attr-defined]
    return found


@pytest.fixture(params=["local", "s3"])
async def storage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Storage]:
    """Every implementation of the port."""
    yield LocalStorage(tmp_path / "files") if request.param == "local" else request.getfixturevalue("s3")


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """Makes a finished file in a work folder."""

    def make(content: bytes = b"film", name: str = "film.mp4") -> Path:
        path = tmp_path / "work" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return make


async def stored_by_key(storage: Storage) -> dict[str, StoredKey]:
    """What the storage lists."""
    return {found.key: found async for found in storage.keys()}  # noqa: SIM118 (not a dict)


async def stored_keys(storage: Storage) -> set[str]:
    """The keys that the storage lists."""
    return set(await stored_by_key(storage))


def head(bucket: Bucket, key: str = FULL) -> dict[str, object]:
    """What S3 says of an object."""
    return dict(bucket.client.head_object(Bucket=bucket.name, Key=key, ChecksumMode="ENABLED"))


async def body_of(storage: S3Storage, key: str = KEY) -> bytes:
    """What a person gets behind a presigned link."""
    link = await storage.external_link(
        key, file_name="f.mp4", content_type="video/mp4", disposition="inline", ttl_seconds=60
    )
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.get(link)
    assert answer.status_code == 200
    return answer.content


def part_numbers(faulty: FaultyS3) -> list[int]:
    """The parts that were sent, by number."""
    return sorted(
        int(parse_qs(urlsplit(seen.path).query)["partNumber"][0]) for seen in faulty.seen if seen.is_part
    )


def lower(seen: Seen) -> dict[str, str]:
    """The headers of a request under lower-case names."""
    return {name.lower(): value for name, value in seen.headers.items()}
