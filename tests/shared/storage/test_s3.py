"""What a bucket does that a folder does not: parts, what S3 is told of a file, links, and going on."""

import asyncio
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from shared.errors import Code, JobError
from shared.settings import Settings
from shared.storage import HalfDone, Label, StorageError
from shared.storage.s3 import S3Storage, download
from shared.storage.s3.bucket import Bucket
from tests.shared.storage.conftest import PART, MakeFile, stored_keys
from tests.shared.storage.faulty import FaultyS3, Seen

OpenOne = Callable[..., S3Storage]
BIG = 3 * PART + 12_345  # bytes: four parts
KEY, FULL = "job/1.0.video.mp4", "linkferry/job/1.0.video.mp4"


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


class TestParts:
    """Files of more than one part."""

    async def test_a_big_file_arrives_whole_in_parts(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        content = os.urandom(BIG)
        stored = await s3.put(KEY, make_file(content))
        assert (stored.size, stored.sha256) == (BIG, hashlib.sha256(content).hexdigest())
        assert part_numbers(faulty) == [1, 2, 3, 4]
        assert await body_of(s3) == content

    async def test_progress_is_told_on_the_loop_and_ends_at_one(
        self, s3: S3Storage, make_file: MakeFile
    ) -> None:
        shares: list[float] = []

        def note(share: float) -> None:
            asyncio.get_running_loop()  # raises in any other thread
            shares.append(share)

        await s3.put(KEY, make_file(os.urandom(BIG)), progress=note)
        await asyncio.sleep(0)
        assert shares == sorted(shares)
        assert len(shares) == 4
        assert shares[-1] == 1.0

    async def test_several_files_share_the_buffers(self, s3: S3Storage, make_file: MakeFile) -> None:
        contents = [os.urandom(2 * PART) for _ in range(5)]
        await asyncio.gather(
            *(s3.put(f"k{n}", make_file(content, f"f{n}")) for n, content in enumerate(contents))
        )
        for number, content in enumerate(contents):
            assert await body_of(s3, f"k{number}") == content

    async def test_every_part_carries_its_checksum(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        await s3.put(KEY, make_file(os.urandom(BIG)))
        await s3.put("small", make_file())
        parts = [seen for seen in faulty.seen if seen.is_part]
        assert all("x-amz-checksum-crc32" in lower(seen) for seen in parts)
        small = next(seen for seen in faulty.seen if seen.path.endswith("/small"))
        assert "x-amz-checksum-sha256" in lower(small)


def lower(seen: Seen) -> dict[str, str]:
    """The headers of a request under lower-case names."""
    return {name.lower(): value for name, value in seen.headers.items()}


class TestAhead:
    """A file is sent while its end is still being made."""

    async def test_all_but_the_first_part_and_the_end_are_there_when_it_is_whole(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, tmp_path: Path
    ) -> None:
        content = os.urandom(5 * PART + 1000)
        growing = tmp_path / "work" / ".growing.mkv"
        make_file(b"", growing.name).unlink()  # there is no file yet
        async with s3.ahead(KEY, growing, label=Label("video/x-matroska", "film.mkv")):
            with growing.open("wb", buffering=0) as file:
                file.write(b"a header that changes" + content[21 : 2 * PART])
                while part_numbers(faulty) != [2]:
                    await asyncio.sleep(0.01)
                assert await s3.size(KEY) is None, "nothing can be seen yet"
                file.write(content[2 * PART :])
                while part_numbers(faulty) != [2, 3, 4, 5]:
                    await asyncio.sleep(0.01)
                file.seek(0)
                file.write(content[:21])
            growing = growing.rename(growing.with_name("result.mkv"))
        faulty.seen.clear()
        stored = await s3.put(KEY, growing, label=Label("video/x-matroska", "film.mkv"))
        assert part_numbers(faulty) == [1, 6]
        assert stored.sha256 == hashlib.sha256(content).hexdigest()
        assert await body_of(s3) == content

    async def test_what_changed_after_all_is_sent_again(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        growing = make_file(os.urandom(3 * PART))
        async with s3.ahead(KEY, growing):
            while part_numbers(faulty) != [2, 3]:
                await asyncio.sleep(0.01)
        content = os.urandom(2 * PART + 7)
        growing.write_bytes(content)
        await s3.put(KEY, growing)
        assert await body_of(s3) == content

    async def test_an_error_takes_back_what_was_sent_and_a_stop_leaves_it(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        for error, left in ((JobError(Code.BROKEN_FILE), []), (asyncio.CancelledError(), [KEY])):
            faulty.seen.clear()
            growing = make_file(os.urandom(2 * PART))
            with pytest.raises(type(error)):
                async with s3.ahead(KEY, growing):
                    while not part_numbers(faulty):
                        await asyncio.sleep(0.01)
                    raise error
            assert await s3.unfinished("") == left

    async def test_an_outage_costs_nothing_but_the_head_start(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, caplog: pytest.LogCaptureFixture
    ) -> None:
        content = os.urandom(3 * PART)
        growing = make_file(content)
        faulty.refuse(lambda seen: seen.is_part, 403, "AccessDenied")
        async with s3.ahead(KEY, growing):
            while not part_numbers(faulty):
                await asyncio.sleep(0.01)
        while "the file is sent when it is whole" not in caplog.text:
            await asyncio.sleep(0.01)
        faulty.heal()
        await s3.put(KEY, growing)
        assert await body_of(s3) == content

    async def test_nothing_is_begun_for_what_is_never_made_or_small(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, tmp_path: Path
    ) -> None:
        for path in (tmp_path / "never", make_file(b"small")):
            async with s3.ahead(KEY, path):
                await asyncio.sleep(0.3)
        assert faulty.seen == []


class TestGoingOn:
    """After a crash."""

    async def interrupted(
        self, storage: S3Storage, faulty: FaultyS3, make_file: MakeFile, content: bytes
    ) -> None:
        """An upload whose third part never arrives."""
        faulty.refuse(lambda seen: "partNumber=3" in seen.path, 403, "AccessDenied")
        with pytest.raises(StorageError):
            await storage.put(KEY, make_file(content))
        faulty.heal()

    async def test_parts_that_are_there_are_not_sent_again(
        self, open_one: OpenOne, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        content = os.urandom(BIG)
        await self.interrupted(open_one(), faulty, make_file, content)
        next_process = open_one()
        assert await next_process.unfinished("job/") == [KEY]
        assert await stored_keys(next_process) == set()  # half a file is none
        shares: list[float] = []
        stored = await next_process.put(KEY, make_file(content), progress=shares.append)
        assert stored.sha256 == hashlib.sha256(content).hexdigest()
        assert 3 in part_numbers(faulty)
        assert not {1, 2} <= set(part_numbers(faulty))
        assert await body_of(next_process) == content
        assert await next_process.unfinished("job/") == []
        await asyncio.sleep(0)
        assert shares[-1] == 1.0

    async def test_a_killed_process_loses_nothing_that_arrived(
        self, open_one: OpenOne, bucket: Bucket, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        content = os.urandom(BIG)
        source = make_file(content)
        program = (
            "import asyncio, sys, pathlib\n"
            "from shared.settings import Settings\n"
            "from shared.storage.s3 import S3Storage\n"
            "settings = Settings(_env_file=None, s3_bucket=sys.argv[1], s3_endpoint_url=sys.argv[2])\n"
            "from shared.storage.s3.bucket import open_bucket\n"
            f"storage = S3Storage(open_bucket(settings), part={PART})\n"
            f"asyncio.run(storage.put({KEY!r}, pathlib.Path(sys.argv[3])))\n"
        )
        faulty.cut_request(lambda seen: "partNumber=4" in seen.path, times=100)
        process = subprocess.Popen([sys.executable, "-c", program, bucket.name, faulty.url, str(source)])
        while set(part_numbers(faulty)) != {1, 2, 3, 4}:
            await asyncio.sleep(0.01)
        (upload,) = bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
        where = {"Bucket": bucket.name, "Key": FULL, "UploadId": upload["UploadId"]}
        while len(bucket.client.list_parts(**where).get("Parts", ())) < 3:
            await asyncio.sleep(0.05)
        process.kill()
        process.wait()
        faulty.heal()
        storage = open_one()
        await storage.put(KEY, source)
        assert part_numbers(faulty) == [4]
        assert await body_of(storage) == content

    async def test_another_file_does_not_take_over_foreign_parts(
        self, open_one: OpenOne, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        await self.interrupted(open_one(), faulty, make_file, os.urandom(BIG))
        other, storage = os.urandom(BIG), open_one()
        await storage.put(KEY, make_file(other))
        assert part_numbers(faulty) == [1, 2, 3, 4]
        assert await body_of(storage) == other

    @pytest.mark.parametrize(
        "where",
        [
            lambda seen: "partNumber=3" in seen.path,
            lambda seen: seen.method == "POST" and "uploadId" in seen.path,
        ],
    )
    async def test_an_upload_that_somebody_aborted_starts_anew(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, where: Callable[[Seen], bool]
    ) -> None:
        faulty.refuse(where, 404, "NoSuchUpload", times=1)
        content = os.urandom(BIG)
        await s3.put(KEY, make_file(content))
        assert await body_of(s3) == content

    async def test_old_uploads_are_aborted_and_young_ones_kept(
        self, open_one: OpenOne, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z").encode()  # moto says a day of 2010
        storage = open_one(kept_unfinished=86_400)
        await self.interrupted(storage, faulty, make_file, os.urandom(BIG))
        faulty.edit(
            lambda seen: "uploads" in seen.path, lambda xml: xml.replace(b"2010-11-10T20:48:33.000Z", now)
        )
        assert await storage.half_done(0) == []  # younger than a day: somebody may go on
        assert await storage.unfinished("") == [KEY]
        [half] = await open_one(kept_unfinished=0).half_done(0)
        assert half.name == KEY and 0 < half.size < BIG
        for _ in range(2):  # another worker may be faster
            await storage.discard(half)
        assert await storage.unfinished("") == []

    async def test_cancelled_it_stops_sending_and_keeps_the_source(
        self, s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
    ) -> None:
        content = os.urandom(20 * PART)
        source = make_file(content)
        goes_on = threading.Event()
        for _ in range(20):
            faulty.call(lambda seen: seen.is_part, goes_on.wait)
        task = asyncio.create_task(s3.put(KEY, source))
        while not part_numbers(faulty):
            await asyncio.sleep(0.01)
        task.cancel()
        asyncio.get_running_loop().call_later(0.1, goes_on.set)  # when it knows
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(s3.close)  # its threads have ended
        assert source.exists()
        assert len(part_numbers(faulty)) < 20


class TestWhatS3IsTold:
    """Type, name, tags, encryption, conditions."""

    LABEL = Label("video/mp4", "Fährmann.mp4", tags={"job": "j-1", "kind": "video"})

    @pytest.mark.parametrize("size", [4, BIG])
    async def test_type_name_and_tags(
        self, s3: S3Storage, bucket: Bucket, make_file: MakeFile, size: int
    ) -> None:
        await s3.put(KEY, make_file(os.urandom(size)), label=self.LABEL)
        told = head(bucket)
        assert told["ContentType"] == "video/mp4"
        assert told["ContentDisposition"] == (
            "attachment; filename=\"F_hrmann.mp4\"; filename*=UTF-8''F%C3%A4hrmann.mp4"
        )
        tags = bucket.client.get_object_tagging(Bucket=bucket.name, Key=FULL)["TagSet"]
        assert {tag["Key"]: tag["Value"] for tag in tags} == self.LABEL.tags

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
            await s3.put(key, make_file(content), label=TestWhatS3IsTold.LABEL)
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
        await s3.put(KEY, make_file(), label=TestWhatS3IsTold.LABEL)
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


class TestLinks:
    """Presigned ones."""

    async def test_name_type_and_time(self, s3: S3Storage, make_file: MakeFile) -> None:
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
    async def test_they_lead_to_the_region(self, name: str, address: str) -> None:
        storage = S3Storage.of(Settings(_env_file=None, s3_bucket=name, aws_region="eu-central-1"))
        link = await storage.external_link(
            "k", file_name="f", content_type="video/mp4", disposition="inline", ttl_seconds=60
        )
        storage.close()
        assert link.startswith(address)

    async def test_lent_credentials_are_told(
        self, open_one: OpenOne, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert (open_one().warning(), open_one().links_end()) == ("", None)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "t")
        assert "are temporary" in open_one().warning()
        assert open_one().links_end() is None  # nobody says when
        end = (datetime.now(UTC) + timedelta(hours=2)).replace(microsecond=0)
        monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", end.isoformat())
        assert f"end at {end:%Y-%m-%d %H:%M} UTC" in open_one().warning()
        assert open_one().links_end() == end


async def test_what_does_not_fit_is_not_begun_and_copies_of_a_crash_go(
    s3: S3Storage, make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await s3.put(KEY, make_file(b"film"))
    scratch = tmp_path / "scratch"
    async with s3.at_hand(KEY) as copy:
        os.utime(copy, (1, 1))
        assert await s3.half_done(3600) == [HalfDone(copy.name, 4)]
        await s3.discard(HalfDone(copy.name, 4))
        assert await s3.half_done(3600) == []
    monkeypatch.setattr(download, "free_bytes", lambda _: 3)
    with pytest.raises(JobError) as raised:
        async with s3.at_hand(KEY):
            pass
    assert raised.value.code is Code.DISK_FULL
    assert list(scratch.iterdir()) == []


async def test_the_next_copy_clears_up_after_a_crash_since_not_every_machine_has_a_worker(
    s3: S3Storage, make_file: MakeFile, tmp_path: Path
) -> None:
    await s3.put(KEY, make_file(b"film"))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    left, half, young = [scratch / name for name in ("1f", ".2f.part", "3f")]
    for path in (left, half, young):
        path.write_bytes(b"a copy")
    for path in (left, half):
        os.utime(path, (1, 1))
    async with s3.at_hand(KEY) as copy:
        assert set(scratch.iterdir()) == {young, copy}, "somebody else may read the young one"


async def test_a_copy_leaves_the_reserve_free(
    open_one: OpenOne, make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3 = open_one(disk_reserve_gb=1)
    await s3.put(KEY, make_file(b"film"))
    monkeypatch.setattr(download, "free_bytes", lambda _: 10**9 + 3)
    with pytest.raises(JobError) as raised:
        async with s3.at_hand(KEY):
            pass
    assert raised.value.code is Code.DISK_FULL
    await s3.fetch(KEY, tmp_path / "where" / "a person wants it.mp4")


async def test_fetch_takes_up_a_connection_that_broke_off(
    s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, tmp_path_factory: pytest.TempPathFactory
) -> None:
    content = os.urandom(5_000_000)
    await s3.put(KEY, make_file(content))
    faulty.cut_answer(lambda seen: seen.method == "GET", times=3)
    target = tmp_path_factory.mktemp("out") / "copy.mp4"
    await s3.fetch(KEY, target)
    assert target.read_bytes() == content
    ranges = [lower(seen).get("range") for seen in faulty.seen if seen.path.endswith("/" + FULL)]
    assert ranges[-3:] == ["bytes=2500000-", "bytes=3750000-", "bytes=4375000-"]  # never from the start again
    assert [path.name for path in target.parent.iterdir()] == ["copy.mp4"]


def test_boto3_is_imported_only_where_s3_is_chosen() -> None:
    program = (
        "import sys, json, linkferry.cli; print(json.dumps([m for m in sys.modules if m.startswith('boto')]))"
    )
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout
    assert json.loads(output) == []
