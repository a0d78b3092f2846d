"""Presigned links to S3."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from shared.settings import Settings
from shared.storage import Label
from shared.storage.s3 import S3Storage
from tests.shared.storage.conftest import KEY, MakeFile, OpenOne


async def test_name_type_and_time(s3: S3Storage, make_file: MakeFile) -> None:
    await s3.put(KEY, make_file(b"0123456789"), label=Label("application/octet-stream", "x.bin"))
    link = await s3.external_link(
        KEY, file_name="Fähr“mann” 1.mp4", content_type="video/mp4", disposition="inline", ttl_seconds=90
    )
    assert parse_qs(urlsplit(link).query)["X-Amz-Expires"] == ["90"]
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        whole = await client.get(link)
        part = await client.get(link, headers={"range": "bytes=2-4"})
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["content-disposition"] == (
        "inline; filename=\"F_hr_mann_ 1.mp4\"; filename*=UTF-8''F%C3%A4hr%E2%80%9Cmann%E2%80%9D%201.mp4"
    )
    assert (part.status_code, part.content) == (206, b"234")


@pytest.mark.parametrize(
    ("name", "address"),
    [
        ("films", "https://films.s3.eu-central-1.amazonaws.com/linkferry/k?"),
        ("my.films", "https://s3.eu-central-1.amazonaws.com/my.films/linkferry/k?"),
    ],
)
async def test_they_lead_to_the_region(name: str, address: str) -> None:
    storage = S3Storage.of(Settings(_env_file=None, s3_bucket=name, aws_region="eu-central-1"))
    link = await storage.external_link(
        "k", file_name="f", content_type="video/mp4", disposition="inline", ttl_seconds=60
    )
    storage.close()
    assert link.startswith(address)


async def test_lent_credentials_are_told(open_one: OpenOne, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (open_one().warning(), open_one().links_end()) == ("", None)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
    assert "are temporary" in open_one().warning()
    assert open_one().links_end() is None  # nobody says when
    end = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", end.isoformat())
    assert f"end at {end:%Y-%m-%d %H:%M} UTC" in open_one().warning()
    assert open_one().links_end() == end
