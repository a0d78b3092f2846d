"""An S3 on loopback for the session, by moto, and storages in buckets of its own for each test."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared.settings import Settings
from shared.storage import LocalStorage, Storage, StoredKey
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import Bucket, open_bucket
from tests.services import free_port
from tests.shared.storage.faulty import FaultyS3

START_TIME = 60  # seconds; moto imports for two of them
PART = 256 * 1024  # bytes; small, so that a film of several parts is quickly there
KEY_ID, SECRET = "AKIATESTTESTTESTTEST", "kept-out-of-logs-and-messages"

MakeFile = Callable[..., Path]


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
def open_one(faulty: FaultyS3, tmp_path: Path) -> Iterator[Callable[..., S3Storage]]:
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
def s3(open_one: Callable[..., S3Storage]) -> S3Storage:
    """A storage in a bucket of its own, behind the proxy."""
    return open_one()


@pytest.fixture
def bucket(open_one: Callable[..., S3Storage]) -> Bucket:
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
