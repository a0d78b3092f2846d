"""What goes wrong at S3 is tried again, or failed by kind: nothing is lost, no secret told."""

import logging
import os
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Code, ConfigError, JobError
from shared.settings import Settings
from shared.storage import StorageError, open_storage
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import open_bucket
from tests.services import free_port
from tests.shared.storage.conftest import (
    BIG,
    FULL,
    KEY,
    KEY_ID,
    PART,
    SECRET,
    MakeFile,
    body_of,
    part_numbers,
    s3_settings,
)
from tests.shared.storage.faulty import FaultyS3, Seen


def is_third(seen: Seen) -> bool:
    return "partNumber=3" in seen.path


def is_end(seen: Seen) -> bool:
    return seen.method == "POST" and "uploadId=" in seen.path


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.01)
    monkeypatch.setattr("shared.storage.s3.download.PAUSE", 0.01)


class TestWhatPasses:
    """Tried again, and the file is there."""

    @pytest.mark.parametrize(
        ("status", "code"), [(500, "InternalError"), (503, "SlowDown"), (503, "ServiceUnavailable")]
    )
    @pytest.mark.parametrize("applies", [is_third, is_end, lambda seen: seen.path.endswith("uploads")])
    async def test_errors_of_s3(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, status: int, code: str,
        applies: Callable[[Seen], bool],
    ) -> None:  # fmt: skip
        faulty.refuse(applies, status, code, times=3)
        content = os.urandom(BIG)
        await s3.put(KEY, make_file(content))
        assert await body_of(s3) == content

    async def test_connections_that_break_off_in_a_part(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        faulty.cut_request(is_third, times=3)
        content = os.urandom(BIG)
        await s3.put(KEY, make_file(content))
        assert await body_of(s3) == content
        assert part_numbers(faulty).count(1) == 1  # the others were sent once

    @pytest.mark.parametrize("size", [4, BIG])
    async def test_an_answer_that_got_lost(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, size: int
    ) -> None:
        faulty.lose_answer(lambda seen: is_end(seen) or (seen.method == "PUT" and seen.path.endswith(FULL)))
        content = os.urandom(size)
        await s3.put(KEY, make_file(content))
        assert await body_of(s3) == content

    async def test_the_upload_is_gone_because_it_was_completed(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        content = os.urandom(BIG)
        faulty.lose_answer(is_end)
        faulty.refuse(is_end, 404, "NoSuchUpload")  # what S3 says to the second try, after a while
        await s3.put(KEY, make_file(content))
        assert await body_of(s3) == content


class TestWhatDoesNotPass:
    """Failed by kind."""

    @pytest.mark.parametrize(
        ("status", "code", "advice"),
        [
            (400, "ExpiredToken", "credentials have expired"),
            (403, "InvalidAccessKeyId", "AWS_ACCESS_KEY_ID"),
            (403, "SignatureDoesNotMatch", "AWS_SECRET_ACCESS_KEY"),
            (403, "AccessDenied", "does not allow"),
            (403, "RequestTimeTooSkewed", "clock"),
            (404, "NoSuchBucket", "LINKFERRY_S3_BUCKET"),
        ],
    )
    @pytest.mark.parametrize("size", [4, BIG])
    async def test_what_somebody_must_change(
        self,
        s3: S3Storage,
        faulty: FaultyS3,
        make_file: MakeFile,
        status: int,
        code: str,
        advice: str,
        size: int,
    ) -> None:
        source = make_file(os.urandom(size))
        faulty.refuse(lambda seen: is_third(seen) or seen.path.endswith(FULL), status, code)
        with pytest.raises(ConfigError, match=advice) as caught:
            await s3.put(KEY, source)
        assert isinstance(caught.value, StorageError)
        assert source.exists()
        faulty.heal()
        await s3.put(KEY, source)  # mended, it goes on
        assert await s3.size(KEY) is not None

    async def test_a_bucket_that_is_away_is_no_file_that_is_gone(
        self, faulty: FaultyS3, tmp_path: Path
    ) -> None:
        """Else every file would be marked as deleted when the bucket's name is mistyped."""
        storage = S3Storage(open_bucket(s3_settings(faulty.url)))
        for question in (storage.size(KEY), storage.fetch(KEY, tmp_path / "copy"), storage.check()):
            with pytest.raises(ConfigError, match="There is no bucket b-"):
                await question
        storage.close()

    @pytest.mark.parametrize(("status", "code"), [(507, "XMinioStorageFull"), (403, "QuotaExceeded")])
    async def test_no_room(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, status: int, code: str
    ) -> None:
        faulty.refuse(is_third, status, code)
        source = make_file(os.urandom(BIG))
        with pytest.raises(JobError) as caught:
            await s3.put(KEY, source)
        assert caught.value.code is Code.DISK_FULL
        assert source.exists()

    @pytest.mark.parametrize("applies", [is_third, is_end])
    async def test_an_outage_that_stays(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, applies: Callable[[Seen], bool]
    ) -> None:
        faulty.refuse(applies, 503, "SlowDown")
        content = os.urandom(BIG)
        source = make_file(content)
        with pytest.raises(StorageError, match="SlowDown"):
            await s3.put(KEY, source)
        assert source.exists()
        assert await s3.size(KEY) is None
        faulty.heal()
        await s3.put(KEY, source)
        assert len(part_numbers(faulty)) <= 1  # the rest had arrived
        assert await body_of(s3) == content

    async def test_nobody_listens(self, make_file: MakeFile) -> None:
        storage = S3Storage(open_bucket(s3_settings(f"http://127.0.0.1:{free_port()}")))
        source = make_file()
        with pytest.raises(StorageError, match="EndpointConnectionError"):
            await storage.put(KEY, source)
        assert source.exists()
        storage.close()

    async def test_the_disk_is_gone(
        self, s3: S3Storage, make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        real = os.preadv

        def preadv(file: int, buffers: list[memoryview], offset: int) -> int:
            if offset >= 2 * PART:
                raise OSError(5, "Input/output error")
            return real(file, buffers, offset)

        monkeypatch.setattr(os, "preadv", preadv)
        source = make_file(os.urandom(BIG))
        with pytest.raises(StorageError, match="Input/output error"):
            await s3.put(KEY, source)
        monkeypatch.undo()
        await s3.put(KEY, source)  # every buffer came back

    async def test_a_file_that_shrinks_is_not_stored(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        source = make_file(os.urandom(40 * PART))
        faulty.call(lambda seen: seen.path.endswith("uploads"), lambda: os.truncate(source, BIG))
        with pytest.raises(StorageError, match="became shorter"):
            await s3.put(KEY, source)
        assert await s3.size(KEY) is None

    async def test_a_full_disk_while_fetching(self, s3: S3Storage, make_file: MakeFile) -> None:
        await s3.put(KEY, make_file(os.urandom(BIG)))
        with pytest.raises(StorageError):
            await s3.fetch(KEY, Path("/proc/nowhere/copy"))


class TestSecrets:
    """Neither in a log nor in an error."""

    async def test_errors_and_logs_tell_none(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        told = f"StringToSign AWS4-HMAC-SHA256 {SECRET}"
        faulty.refuse(lambda seen: True, 403, "SignatureDoesNotMatch", message=told)
        with pytest.raises(ConfigError) as caught:
            await s3.put(KEY, make_file(os.urandom(BIG)))
        assert SECRET not in str(caught.value) + caplog.text
        shown = "".join(traceback.format_exception(caught.value))
        assert "X-Amz-Signature" not in shown
        assert SECRET not in shown
        assert KEY_ID not in shown

    def test_nothing_shows_itself(self, s3: S3Storage) -> None:
        settings = s3_settings("http://127.0.0.1:1", s3_cloudfront_key="-----BEGIN PRIVATE")
        assert SECRET not in repr(open_bucket(settings)) + repr(settings)
        assert "BEGIN" not in repr(settings)


class TestAtStart:
    """`open_storage`."""

    async def test_what_is_missing_is_named(self, faulty: FaultyS3, monkeypatch: pytest.MonkeyPatch) -> None:
        def settings(**more: str) -> Settings:
            return Settings(_env_file=None, storage="s3", **more)

        with pytest.raises(ConfigError, match="LINKFERRY_S3_BUCKET"):
            await open_storage(settings())
        with pytest.raises(ConfigError, match="LINKFERRY_AWS_REGION"):
            await open_storage(settings(s3_bucket="films"))
        with pytest.raises(ConfigError, match="There is no bucket films-"):
            await open_storage(settings(s3_bucket="films-", s3_endpoint_url=faulty.url))
        with pytest.raises(ConfigError, match="ENDPOINT_URL"):
            await open_storage(settings(s3_bucket="films", s3_endpoint_url="no address"))
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        with pytest.raises(ConfigError, match="no AWS credentials"):
            await open_storage(settings(s3_bucket="films", s3_endpoint_url=faulty.url))

    async def test_one_that_is_away_is_only_said(self, caplog: pytest.LogCaptureFixture) -> None:
        storage = await open_storage(s3_settings(f"http://127.0.0.1:{free_port()}"))
        assert isinstance(storage, S3Storage)
        storage.close()
        assert "S3 does not answer" in caplog.text

    async def test_where_files_are_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for variable in ("LINKFERRY_ENVIRONMENT", "LINKFERRY_STORAGE", "LINKFERRY_S3_BUCKET"):
            monkeypatch.delenv(variable, raising=False)
        assert not Settings(_env_file=None, environment="localhost", s3_bucket="films").uses_s3
        assert Settings(_env_file=None, environment="aws").uses_s3
        monkeypatch.setenv("ECS_CONTAINER_METADATA_URI_V4", "http://127.0.0.1:1")
        assert Settings(_env_file=None).uses_s3
        assert not Settings(_env_file=None, storage="local").uses_s3
