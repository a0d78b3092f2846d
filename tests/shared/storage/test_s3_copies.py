"""Copies of what lies in S3: at hand for a while, and fetched."""

import os
from pathlib import Path

import pytest

from shared.errors import Code, JobError
from shared.storage import HalfDone
from shared.storage.s3 import S3Storage, download
from tests.shared.storage.conftest import FULL, KEY, MakeFile, OpenOne, lower
from tests.shared.storage.faulty import FaultyS3


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
