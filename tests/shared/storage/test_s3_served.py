"""What people and operators see of a bucket: our links lead into it, and `linkferry doctor` knows it."""

from pathlib import Path
from uuid import uuid4

import httpx
from fastapi import FastAPI

from bots.terminal import save_files
from bots.web.files import ServedFile, files_router
from linkferry import doctor
from shared.database import Database
from shared.health import Health
from shared.links import Links
from shared.models import Artifact, ArtifactKind
from shared.queue import EmbeddedQueue
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import Bucket
from tests.shared.storage.conftest import MakeFile, s3_settings
from tests.shared.storage.faulty import FaultyS3

LINKS = Links(["k" * 32])
NAME = "Fähre.mp4"


async def test_a_signed_link_leads_to_the_bucket_until_it_is_revoked(
    s3: S3Storage, make_file: MakeFile
) -> None:
    stored = await s3.put("job/1.0.video.mp4", make_file(b"the film"))
    is_revoked = False

    async def find(_: object) -> ServedFile:
        return ServedFile(stored.key, NAME, "video/mp4", stored.sha256, stored.size, revoked=is_revoked)

    app = FastAPI()
    app.include_router(files_router(LINKS, s3, find))
    link = LINKS.url("http://ferry.test", uuid4(), NAME, 600, "inline")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as ours:
        redirect, head = await ours.get(link), await ours.head(link)
        is_revoked = True
        revoked = await ours.get(link)
    assert (redirect.status_code, revoked.status_code) == (302, 404)
    assert redirect.headers["cache-control"] == "no-store"
    async with httpx.AsyncClient(trust_env=False, timeout=60) as browser:
        film = await browser.get(redirect.headers["location"])
    assert film.content == b"the film"
    assert film.headers["content-disposition"].startswith("inline;")
    assert "filename*=UTF-8''F%C3%A4hre.mp4" in film.headers["content-disposition"]
    # S3 would answer 403 to it: a link is signed for GET alone, which moto does not mind.
    assert (head.status_code, head.content, head.headers["cache-control"]) == (200, b"", "no-store")
    for name in ("content-type", "content-length", "content-disposition", "accept-ranges"):
        assert head.headers[name] == film.headers[name], name
    assert "etag" not in head.headers, "the bucket's is another one"


async def test_output_and_chats_get_the_bytes(s3: S3Storage, make_file: MakeFile, tmp_path: Path) -> None:
    stored = await s3.put("job/1.0.video.mp4", make_file(b"the film"))
    artifact = Artifact(
        kind=ArtifactKind.VIDEO, file_name="f.mp4", storage_key=stored.key, size=8, sha256=stored.sha256
    )
    folder = tmp_path / "out"
    folder.mkdir()
    assert [path.read_bytes() async for path in save_files([artifact], s3, folder)] == [b"the film"]
    async with s3.at_hand(stored.key) as path:
        assert path.read_bytes() == b"the film"


async def test_health_looks_into_the_bucket_now_and_then(
    faulty: FaultyS3, bucket: Bucket, tmp_path: Path
) -> None:
    settings = s3_settings(faulty.url, data_dir=tmp_path)
    database = Database(settings.effective_database_url)
    storages = {True: settings.model_copy(update={"s3_bucket": bucket.name}), False: settings}
    for is_well, own in storages.items():
        health = Health(own, database, EmbeddedQueue(), S3Storage.of(own))
        before = len(faulty.seen)
        checks = [(await health.report()).checks["storage"] for _ in range(3)]
        assert checks[0].ok is is_well and checks.count(checks[0]) == 3
        assert len(faulty.seen) - before == 1, "a bucket wants money for each question"
    assert "There is no bucket" in checks[0].reason
    await database.close()


async def test_doctor_knows_the_bucket(faulty: FaultyS3, bucket: Bucket) -> None:
    settings = s3_settings(faulty.url).model_copy(update={"s3_bucket": bucket.name})
    missing = await doctor._storage(settings)
    assert (missing.mark, missing.found) == ("note", f"the bucket {bucket.name}.")
    assert "--set-lifecycle" in missing.advice
    await doctor._set_lifecycle(settings)
    assert (await doctor._storage(settings)).mark == "ok"
    wrong = await doctor._storage(s3_settings(faulty.url))
    assert (wrong.mark, "There is no bucket" in wrong.advice) == ("fix", True)
    assert (await doctor._storage(settings.model_copy(update={"storage": "local"}))).mark == "ok"
