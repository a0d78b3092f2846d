"""A file is sent to S3 while its end is still being made."""

import asyncio
import hashlib
import os
from pathlib import Path

import pytest

from shared.errors import Code, JobError
from shared.storage import Label
from shared.storage.s3 import S3Storage
from tests.shared.storage.conftest import KEY, PART, MakeFile, body_of, part_numbers
from tests.shared.storage.faulty import FaultyS3
from tests.waiting import eventually


async def test_all_but_the_first_part_and_the_end_are_there_when_it_is_whole(
    s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, tmp_path: Path
) -> None:
    content = os.urandom(5 * PART + 1000)
    growing = tmp_path / "work" / ".growing.mkv"
    make_file(b"", growing.name).unlink()  # there is no file yet
    async with s3.ahead(KEY, growing, label=Label("video/x-matroska", "film.mkv")):
        with growing.open("wb", buffering=0) as file:
            file.write(b"a header that changes" + content[21 : 2 * PART])
            await eventually(lambda: part_numbers(faulty) == [2])
            assert await s3.size(KEY) is None, "nothing can be seen yet"
            file.write(content[2 * PART :])
            await eventually(lambda: part_numbers(faulty) == [2, 3, 4, 5])
            file.seek(0)
            file.write(content[:21])
        growing = growing.rename(growing.with_name("result.mkv"))
    faulty.seen.clear()
    stored = await s3.put(KEY, growing, label=Label("video/x-matroska", "film.mkv"))
    assert part_numbers(faulty) == [1, 6]
    assert stored.sha256 == hashlib.sha256(content).hexdigest()
    assert await body_of(s3) == content


async def test_what_changed_after_all_is_sent_again(
    s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
) -> None:
    growing = make_file(os.urandom(3 * PART))
    async with s3.ahead(KEY, growing):
        await eventually(lambda: part_numbers(faulty) == [2, 3])
    content = os.urandom(2 * PART + 7)
    growing.write_bytes(content)
    await s3.put(KEY, growing)
    assert await body_of(s3) == content


async def test_an_error_takes_back_what_was_sent_and_a_stop_leaves_it(
    s3: S3Storage, faulty: FaultyS3, make_file: MakeFile
) -> None:
    for error, left in ((JobError(Code.BROKEN_FILE), []), (asyncio.CancelledError(), [KEY])):
        faulty.seen.clear()
        growing = make_file(os.urandom(2 * PART))
        with pytest.raises(type(error)):
            async with s3.ahead(KEY, growing):
                await eventually(lambda: part_numbers(faulty))
                raise error
        assert await s3.unfinished("") == left


async def test_an_outage_costs_nothing_but_the_head_start(
    s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, caplog: pytest.LogCaptureFixture
) -> None:
    content = os.urandom(3 * PART)
    growing = make_file(content)
    faulty.refuse(lambda seen: seen.is_part, 403, "AccessDenied")
    async with s3.ahead(KEY, growing):
        await eventually(lambda: part_numbers(faulty))
    await eventually(lambda: "the file is sent when it is whole" in caplog.text)
    faulty.heal()
    await s3.put(KEY, growing)
    assert await body_of(s3) == content


async def test_nothing_is_begun_for_what_is_never_made_or_small(
    s3: S3Storage, faulty: FaultyS3, make_file: MakeFile, tmp_path: Path
) -> None:
    for path in (tmp_path / "never", make_file(b"small")):
        async with s3.ahead(KEY, path):
            await asyncio.sleep(0.3)
    assert faulty.seen == []
