"""What S3 is told of a file, and servers that do not know all of it."""

import os

import pytest

from shared.storage import StorageError
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import Bucket
from tests.shared.storage.conftest import (
    BIG,
    FULL,
    KEY,
    LABEL,
    MakeFile,
    OpenOne,
    body_of,
    head,
    lower,
    part_numbers,
    stored_keys,
)
from tests.shared.storage.faulty import FaultyS3, Seen


class TestWhatS3IsTold:
    """Type, name, tags, encryption, conditions."""

    @pytest.mark.parametrize("size", [4, BIG])
    async def test_type_name_and_tags(
        self, s3: S3Storage, bucket: Bucket, make_file: MakeFile, size: int
    ) -> None:
        await s3.put(KEY, make_file(os.urandom(size)), label=LABEL)
        told = head(bucket)
        assert told["ContentType"] == "video/mp4"
        assert told["ContentDisposition"] == (
            "attachment; filename=\"F_hrmann.mp4\"; filename*=UTF-8''F%C3%A4hrmann.mp4"
        )
        tags = bucket.client.get_object_tagging(Bucket=bucket.name, Key=FULL)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == LABEL.tags

    @pytest.mark.parametrize("size", [4, BIG])
    async def test_encryption(
        self, open_one: OpenOne, bucket: Bucket, faulty: FaultyS3, make_file: MakeFile, size: int
    ) -> None:
        await open_one(s3_server_side_encryption="AES256").put(KEY, make_file(os.urandom(size)))
        assert head(bucket)["ServerSideEncryption"] == "AES256"
        await open_one(s3_server_side_encryption="aws:kms:alias/films").put("k", make_file(os.urandom(size)))
        told = [lower(seen) for seen in faulty.seen if "aws:kms" in lower(seen).values()]
        assert told[0]["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/films"

    @pytest.mark.parametrize("size", [4, BIG])
    async def test_what_is_there_stays(self, s3: S3Storage, make_file: MakeFile, size: int) -> None:
        first = os.urandom(size)
        await s3.put(KEY, make_file(first))
        source = make_file(os.urandom(size))
        with pytest.raises(StorageError, match="another file"):
            await s3.put(KEY, source)
        assert source.exists()
        assert await body_of(s3) == first

    @pytest.mark.parametrize("size", [4, BIG])
    async def test_the_prefix_is_ours_alone(
        self, s3: S3Storage, bucket: Bucket, make_file: MakeFile, size: int
    ) -> None:
        bucket.client.put_object(Bucket=bucket.name, Key="somebody/elses", Body=b"x")
        bucket.client.put_object(Bucket=bucket.name, Key="linkferry/no key of ours", Body=b"x")
        await s3.put(KEY, make_file(os.urandom(size)))
        assert await stored_keys(s3) == {KEY}
        assert await s3.size("elses") is None

    async def test_more_files_than_fit_on_one_page(
        self, s3: S3Storage, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("shared.storage.s3.storage.PAGE", 2)
        for number in range(5):
            bucket.client.put_object(Bucket=bucket.name, Key=f"linkferry/k/{number}", Body=b"")
        assert await stored_keys(s3) == {f"k/{number}" for number in range(5)}


class TestOlderServers:
    """Servers that do not know all of S3."""

    @pytest.mark.parametrize("size", [4, BIG])
    @pytest.mark.parametrize("header", ["x-amz-checksum", "x-amz-tagging", "if-none-match"])
    @pytest.mark.parametrize(("status", "code"), [(501, "NotImplemented"), (400, "InvalidArgument")])
    async def test_what_they_refuse_is_left_out(
        self,
        s3: S3Storage,
        faulty: FaultyS3,
        make_file: MakeFile,
        size: int,
        header: str,
        status: int,
        code: str,
    ) -> None:
        def has(seen: Seen) -> bool:
            return any(name.startswith(header) for name in lower(seen))

        faulty.refuse(has, status, code)
        content = os.urandom(size)
        for key in ("first", "second"):
            await s3.put(key, make_file(content), label=LABEL)
            assert await body_of(s3, key) == content
        assert len([seen for seen in faulty.seen if has(seen)]) == 1  # asked once, then never again
        if header == "x-amz-checksum":
            kept = [seen for seen in faulty.seen if seen.method == "PUT" and not has(seen)]
            assert all("content-md5" in lower(seen) for seen in kept)

    async def test_a_real_mistake_is_not_taken_for_one(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        faulty.refuse(lambda seen: seen.method == "PUT", 400, "InvalidArgument")
        with pytest.raises(StorageError, match="InvalidArgument"):
            await s3.put(KEY, make_file())
        faulty.heal()
        await s3.put(KEY, make_file(), label=LABEL)
        assert "x-amz-tagging" in lower(faulty.seen[-1])

    async def test_parts_are_known_again_by_their_entity_tags(
        self, open_one: OpenOne, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        faulty.refuse(lambda seen: any("checksum" in name for name in lower(seen)), 501, "NotImplemented")
        faulty.refuse(lambda seen: "partNumber=4" in seen.path, 403, "AccessDenied", times=1)
        content = os.urandom(BIG)
        storage = open_one()
        with pytest.raises(StorageError):
            await storage.put(KEY, make_file(content))
        before = len(part_numbers(faulty))
        await storage.put(KEY, make_file(content))
        assert len(part_numbers(faulty)) - before < 4
        assert await body_of(storage) == content

    async def test_one_that_lists_no_uploads(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        faulty.refuse(lambda seen: seen.method == "GET" and "uploads" in seen.path, 501, "NotImplemented")
        await s3.put(KEY, make_file(os.urandom(BIG)))
        assert await s3.half_done(0) == []
