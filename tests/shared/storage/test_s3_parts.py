"""Files of more than one part in S3, and going on with them after a crash."""

import asyncio
import hashlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from shared.storage import StorageError
from shared.storage.s3 import S3Storage
from shared.storage.s3.bucket import Bucket
from tests.shared.storage.conftest import (
    BIG,
    FULL,
    KEY,
    PART,
    MakeFile,
    OpenOne,
    body_of,
    lower,
    part_numbers,
    stored_keys,
)
from tests.shared.storage.faulty import FaultyS3, Seen
from tests.waiting import eventually


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
        await eventually(lambda: set(part_numbers(faulty)) == {1, 2, 3, 4})
        (upload,) = bucket.client.list_multipart_uploads(Bucket=bucket.name)["Uploads"]
        where = {"Bucket": bucket.name, "Key": FULL, "UploadId": upload["UploadId"]}
        await eventually(lambda: len(bucket.client.list_parts(**where).get("Parts", ())) >= 3)
        process.kill()
        process.wait()
        faulty.heal()
        storage = open_one()
        await storage.put(KEY, source)
        assert set(part_numbers(faulty)) == {4}  # also what the killed one had under way may come in now
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
        await eventually(lambda: part_numbers(faulty))
        task.cancel()
        asyncio.get_running_loop().call_later(0.1, goes_on.set)  # when it knows
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(s3.close)  # its threads have ended
        assert source.exists()
        assert len(part_numbers(faulty)) < 20
