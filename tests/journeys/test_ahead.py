"""A film that is converted is on its way into the bucket before it is whole; an mp4 is not."""

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from linkferry import compose
from shared.models import Artifact, ArtifactKind, JobState
from shared.settings import Settings
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import open_bucket
from shared.storage.s3.lanes import SENDERS
from tests.journeys.service import Service, open_service, settings_for
from tests.shared.storage.conftest import credentials, faulty, moto, s3_settings
from tests.shared.storage.faulty import FaultyS3
from tests.site.server import MediaSite
from worker.child import ChildServer

__all__ = ["credentials", "faulty", "moto"]

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="session")]

PART = 64 * 1024  # bytes


@pytest_asyncio.fixture(loop_scope="session")
async def service(
    tmp_path: Path, site: MediaSite, children: ChildServer, faulty: FaultyS3, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Service]:
    """A service whose files go into a bucket in small parts."""
    bucket = s3_settings(faulty.url)
    open_bucket(bucket).client.create_bucket(Bucket=bucket.s3_bucket)

    async def open_storage(settings: Settings) -> S3Storage:
        return S3Storage(open_bucket(settings), part=PART, scratch=settings.scratch_folder)

    monkeypatch.setattr(compose, "open_storage", open_storage)
    where = {name: getattr(bucket, name) for name in ("storage", "s3_bucket", "s3_endpoint_url")}
    site.reset()
    async with open_service(settings_for(tmp_path / "data", site, **where), site, children) as running:
        yield running


@pytest.mark.parametrize(("form", "is_ahead"), [("webm", True), ("mp4", False)])
async def test_the_tail_is_made_while_the_rest_is_sent(
    service: Service, faulty: FaultyS3, form: str, is_ahead: bool
) -> None:
    clip = {"start": 1.3, "end": 9.0}  # so that it has to be made anew
    view = await service.get("/watch/sample", format=form, clip=clip)
    assert view.state is JobState.DONE, view.error
    parts = [parse_qs(urlsplit(seen.path).query)["partNumber"][0] for seen in faulty.seen if seen.is_part]
    assert sorted(map(int, parts)) == list(range(1, len(parts) + 1)) and len(parts) > 2
    began = [seen for seen in faulty.seen if seen.method == "POST" and seen.path.endswith("?uploads")]
    assert len(began) == 1
    first = parts[:1] if is_ahead else parts[:SENDERS]  # several senders begin at once, in any order
    assert ("1" in first) != is_ahead
    film = next(artifact for artifact in view.artifacts if artifact.kind is ArtifactKind.VIDEO)
    async with service.parts.database.read() as session:
        key = (await session.get_one(Artifact, film.id)).storage_key
    async with service.parts.storage.at_hand(key) as path:
        assert hashlib.sha256(path.read_bytes()).hexdigest() == film.sha256
