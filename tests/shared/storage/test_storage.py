"""One suite for every storage; what only a folder can be asked follows below it."""

import asyncio
import errno
import hashlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import Code, JobError
from shared.storage import HalfDone, InvalidKey, LocalStorage, Storage, StorageError, StoredFile
from shared.storage.local import INCOMING
from shared.storage.port import check_key
from tests.shared.storage.conftest import MakeFile, stored_by_key, stored_keys

BAD_KEYS = [
    "",
    ".",
    "..",
    "../secret",
    "a/../../secret",
    "a/..",
    "/etc/passwd",
    "a//b",
    "a/",
    "a/./b",
    ".incoming/x",
    "a\\b",
    "a\x00b",
    "a\n",
    "a b",
    "ünïcode",
    "%2e%2e/x",
    "a" * 201,
    "/".join("abcde" for _ in range(100)),
]


class TestEveryStorage:
    """The behaviour of the port."""

    async def test_one_that_takes_files_says_so_and_keeps_nothing_of_it(self, storage: Storage) -> None:
        await storage.check()
        assert await stored_keys(storage) == set()

    async def test_put_moves_the_file_and_says_what_it_is(
        self, storage: Storage, make_file: Callable[..., Path], tmp_path: Path
    ) -> None:
        content = os.urandom(3_000_001)
        source = make_file(content)
        stored = await storage.put("ab/film.mp4", source)
        assert stored == StoredFile("ab/film.mp4", 3_000_001, hashlib.sha256(content).hexdigest())
        assert not source.exists()
        await storage.fetch("ab/film.mp4", tmp_path / "out" / "copy.mp4")
        assert (tmp_path / "out" / "copy.mp4").read_bytes() == content

    @pytest.mark.parametrize("change", ["none", "appended", "rewritten", "replaced"])
    async def test_an_expected_file_is_stored_as_it_is_when_it_is_put(
        self, storage: Storage, make_file: Callable[..., Path], change: str
    ) -> None:
        source = make_file(b"first")
        storage.expect(source)
        await asyncio.sleep(0.05)
        match change:
            case "appended":
                source.write_bytes(b"first and more")
            case "rewritten":
                source.write_bytes(b"other")
            case "replaced":
                make_file(b"other", "other.mp4").replace(source)
        content = source.read_bytes()
        assert (await storage.put("k", source)).sha256 == hashlib.sha256(content).hexdigest()
        assert not source.exists()

    async def test_what_is_expected_in_vain_does_no_harm(
        self, storage: Storage, make_file: Callable[..., Path], tmp_path: Path
    ) -> None:
        late = tmp_path / "work" / "late.mp4"
        storage.expect(late)
        await asyncio.sleep(0.05)
        assert (await storage.put("k", make_file(b"film", late.name))).size == 4
        for number in range(200):
            storage.expect(make_file(b"never put", f"{number}.mp4"))
        assert await stored_keys(storage) == {"k"}

    async def test_an_empty_file_is_a_file(self, storage: Storage, make_file: Callable[..., Path]) -> None:
        assert (await storage.put("empty", make_file(b""))).size == 0
        assert await storage.size("empty") == 0

    async def test_what_is_there_stays(
        self, storage: Storage, make_file: Callable[..., Path], tmp_path: Path
    ) -> None:
        await storage.put("k", make_file(b"first"))
        source = make_file(b"second")
        with pytest.raises(StorageError, match="another file"):
            await storage.put("k", source)
        assert source.exists()
        await storage.fetch("k", tmp_path / "copy")
        assert (tmp_path / "copy").read_bytes() == b"first"

    async def test_size_and_delete(self, storage: Storage, make_file: Callable[..., Path]) -> None:
        assert await storage.size("a/b/film.mp4") is None
        await storage.put("a/b/film.mp4", make_file(b"12345"))
        assert await storage.size("a/b/film.mp4") == 5
        assert await storage.size("a/b") is None and await storage.size("a/b/film.mp4/x") is None
        await storage.delete("a/b/film.mp4")
        assert await storage.size("a/b/film.mp4") is None
        await storage.delete("a/b/film.mp4")
        await storage.delete("never/there")

    async def test_keys_have_their_size(self, storage: Storage, make_file: Callable[..., Path]) -> None:
        assert await stored_keys(storage) == set()
        await storage.put("a/one", make_file(b"12345"))
        await storage.put("a/two", make_file(b"1"))
        found = await stored_by_key(storage)
        assert set(found) == {"a/one", "a/two"}
        assert found["a/one"].size == 5

    @pytest.mark.parametrize("key", BAD_KEYS)
    async def test_keys_cannot_climb_out(
        self, storage: Storage, make_file: Callable[..., Path], tmp_path: Path, key: str
    ) -> None:
        source = make_file()
        for call in (
            storage.put(key, source),
            storage.size(key),
            storage.delete(key),
            storage.fetch(key, tmp_path / "copy"),
        ):
            with pytest.raises(InvalidKey):
                await call
        with pytest.raises(InvalidKey):
            storage.path(key)
        assert source.exists()

    async def test_what_is_no_regular_file_is_refused(
        self, storage: Storage, make_file: Callable[..., Path]
    ) -> None:
        source = make_file()
        link = source.with_name("link")
        link.symlink_to(source)
        pipe = source.with_name("pipe")
        os.mkfifo(pipe)
        for bad in (link, pipe, source.parent, source.with_name("missing")):
            with pytest.raises(StorageError):
                await storage.put("k", bad)
        assert await storage.size("k") is None
        assert source.exists()

    async def test_fetch_replaces_and_says_when_there_is_nothing(
        self, storage: Storage, make_file: Callable[..., Path], tmp_path: Path
    ) -> None:
        target = tmp_path / "copy"
        with pytest.raises(StorageError):
            await storage.fetch("k", target)
        target.write_bytes(b"older")
        await storage.put("k", make_file(b"newer"))
        for _ in range(2):
            await storage.fetch("k", target)
            assert target.read_bytes() == b"newer"
            target.write_bytes(b"changed in place")  # whoever has a copy may change it
        assert {path.name for path in tmp_path.iterdir()} <= {"copy", "work", "files"}

    async def test_at_hand_it_is_a_file_and_afterwards_nothing_is_left(
        self, storage: Storage, make_file: MakeFile, tmp_path: Path
    ) -> None:
        await storage.put("k", make_file(b"film"))
        before = {path for path in tmp_path.rglob("*") if path.is_file()}
        async with storage.at_hand("k") as path:
            assert path.read_bytes() == b"film"
        assert {path for path in tmp_path.rglob("*") if path.is_file()} == before
        with pytest.raises((StorageError, FileNotFoundError)):
            async with storage.at_hand("other") as path:
                path.read_bytes()

    async def test_what_was_sent_ahead_is_stored_by_put_alone(
        self, storage: Storage, make_file: MakeFile
    ) -> None:
        source = make_file(b"film")
        async with storage.ahead("k", source):
            assert await storage.size("k") is None
        assert await storage.size("k") is None
        assert (await storage.put("k", source)).size == 4

    async def test_many_at_once(self, storage: Storage, make_file: Callable[..., Path]) -> None:
        async def journey(number: int) -> None:
            for turn in range(5):
                await storage.put("shared/deep/" + str(number), make_file(b"x", f"{number}-{turn}"))
                await storage.delete("shared/deep/" + str(number))

        await asyncio.gather(*(journey(number) for number in range(12)))
        assert await stored_keys(storage) == set()

    async def test_nothing_unfinished_means_nothing_to_discard(self, storage: Storage) -> None:
        assert await storage.half_done(0) == []
        await storage.discard(HalfDone("gone", 1))

    async def test_bytes_are_either_here_or_behind_a_link(
        self, storage: Storage, make_file: Callable[..., Path]
    ) -> None:
        await storage.put("k", make_file())
        link = await storage.external_link(
            "k", file_name="film.mp4", content_type="video/mp4", disposition="inline", ttl_seconds=60
        )
        assert (link is None) != (storage.path("k") is None)


@given(st.text(alphabet=st.sampled_from("ab./\\\x00-_é %"), max_size=30))
def test_accepted_keys_always_stay_inside(key: str) -> None:
    try:
        check_key(key)
    except InvalidKey:
        return
    root = Path("/srv/files")
    assert Path(os.path.normpath(root / key)).is_relative_to(root)
    assert (root / key) != root


class TestLocal:
    """What only a folder can be asked."""

    async def test_storing_is_a_rename(self, tmp_path: Path, make_file: Callable[..., Path]) -> None:
        storage, source = LocalStorage(tmp_path / "files"), make_file()
        inode = source.stat().st_ino
        await storage.put("a/b", source)
        assert storage.path("a/b").stat().st_ino == inode

    async def test_a_stored_file_is_as_old_as_its_storing(
        self, tmp_path: Path, make_file: Callable[..., Path]
    ) -> None:
        storage, source = LocalStorage(tmp_path / "files"), make_file()
        os.utime(source, (1, 1))  # a site's own date
        before = time.time()
        await storage.put("k", source)
        assert before - 2 <= storage.path("k").stat().st_mtime <= time.time() + 2

    async def test_what_is_no_key_is_not_listed(self, tmp_path: Path, make_file: Callable[..., Path]) -> None:
        storage = LocalStorage(tmp_path / "files")
        await storage.put("a/k", make_file())
        for name in (".DS_Store", "a/.nfs0000000000000001", "a/no key"):
            (tmp_path / "files" / name).write_bytes(b"x")
        assert await stored_keys(storage) == {"a/k"}

    async def test_across_file_systems_it_copies_and_never_shows_half(
        self, tmp_path: Path, make_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage, source = LocalStorage(tmp_path / "files"), make_file(b"far away")
        refuse_renames_from(source.parent, monkeypatch)
        stored = await storage.put("a/k", source)
        assert stored.size == 8
        assert storage.path("a/k").read_bytes() == b"far away"
        assert not source.exists()
        assert await stored_keys(storage) == {"a/k"}
        assert list((tmp_path / "files" / INCOMING).iterdir()) == []

    async def test_a_full_disk_keeps_the_source(
        self, tmp_path: Path, make_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage, source = LocalStorage(tmp_path / "files"), make_file()
        refuse_renames_from(source.parent, monkeypatch)

        def full(_: Path, target: Path) -> None:
            target.write_bytes(b"fi")
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr("shared.storage.local.shutil.copyfile", full)
        with pytest.raises(JobError) as caught:
            await storage.put("k", source)
        assert caught.value.code is Code.DISK_FULL
        assert source.exists()
        assert await storage.size("k") is None
        assert list((tmp_path / "files" / INCOMING).iterdir()) == []

    async def test_half_copies_of_a_crash_are_no_files_and_go_when_old(self, tmp_path: Path) -> None:
        storage = LocalStorage(tmp_path / "files")
        incoming = tmp_path / "files" / INCOMING
        incoming.mkdir(parents=True)
        (incoming / "old").write_bytes(b"x")
        os.utime(incoming / "old", (1, 1))
        (incoming / "running").write_bytes(b"x")
        assert await stored_keys(storage) == set()
        [half] = await storage.half_done(3600)
        await storage.discard(half)
        assert [path.name for path in incoming.iterdir()] == ["running"]

    async def test_everything_is_synced_before_it_counts(
        self, tmp_path: Path, make_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        synced: list[str] = []
        real = os.fsync

        def note(descriptor: int) -> None:
            synced.append(Path(f"/proc/self/fd/{descriptor}").readlink().name)
            real(descriptor)

        monkeypatch.setattr(os, "fsync", note)
        await LocalStorage(tmp_path / "files").put("ab/film", make_file(name="source"))
        assert synced[0] == "source"  # the bytes, before the name
        assert synced[-1] == "ab"  # the name
        assert "files" in synced  # the new folder

    async def test_the_last_file_takes_its_empty_folders_along(
        self, tmp_path: Path, make_file: Callable[..., Path]
    ) -> None:
        storage = LocalStorage(tmp_path / "files")
        await storage.put("a/b/one", make_file())
        await storage.put("a/two", make_file())
        await storage.delete("a/b/one")
        assert [path.name for path in (tmp_path / "files" / "a").iterdir()] == ["two"]
        await storage.delete("a/two")
        assert (tmp_path / "files").is_dir()
        assert list((tmp_path / "files").iterdir()) == []


def refuse_renames_from(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As if `folder` were on another file system."""
    real = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.parent == folder:
            raise OSError(errno.EXDEV, "Invalid cross-device link")
        return real(self, target)

    monkeypatch.setattr(Path, "replace", replace)
