"""Files in a folder of this machine. Storing is a rename: nothing is copied unless file systems differ."""

import asyncio
import errno
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from stat import S_ISREG
from uuid import uuid4

from shared import space
from shared.errors import Code, JobError
from shared.storage.port import (
    PLAIN,
    Disposition,
    HalfDone,
    Label,
    Progress,
    StorageError,
    StoredFile,
    StoredKey,
    check_key,
    is_key,
)

INCOMING = ".incoming"  # half-done copies; a key cannot start with a dot
_MOVE_TRIES = 5
MOST_EXPECTED = 64  # files expected at once; of those that never come, the oldest are forgotten


@dataclass(frozen=True)
class Seal:
    """A file that is on the disk for certain. `size` in bytes; `sha256` in lower-case hex."""

    identity: tuple[int, ...]
    size: int
    sha256: str


class LocalStorage:
    """The `Storage` in a folder. Keep work folders on the same file system, so that storing is a rename."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self._incoming = self._root / INCOMING
        self._expected: dict[Path, asyncio.Task[Seal]] = {}

    async def check(self) -> None:
        """See `Storage.check`: whether the folder takes a file."""
        await asyncio.to_thread(self._check)

    def expect(self, source: Path) -> None:
        """See `Storage.expect`. Hashing and syncing begin in a thread."""
        while len(self._expected) >= MOST_EXPECTED:
            del self._expected[next(iter(self._expected))]
        self._expected[source] = sealing = asyncio.create_task(asyncio.to_thread(_seal, source))
        sealing.add_done_callback(lambda task: task.cancelled() or task.exception())  # `put` meets it again

    async def put(
        self,
        key: str,
        source: Path,
        *,
        label: Label = PLAIN,
        progress: Progress | None = None,
    ) -> StoredFile:
        """See `Storage.put`. Hashing and syncing run in a thread."""
        if await self.size(key) is not None:
            raise StorageError(f"cannot store {source.name!r}: there is another file under {key}")
        seal = None
        if expected := self._expected.pop(source, None):
            with suppress(OSError):
                seal = await expected
        return await asyncio.to_thread(self._put, key, source, seal)

    @asynccontextmanager
    async def ahead(self, key: str, source: Path, *, label: Label = PLAIN) -> AsyncIterator[None]:
        """See `Storage.ahead`: storing is a rename, so there is nothing to begin with."""
        yield

    async def unfinished(self, prefix: str) -> list[str]:
        """Always empty: a rename is done or not."""
        return []

    async def size(self, key: str) -> int | None:
        """See `Storage.size`."""
        return await asyncio.to_thread(_size, self.path(key))

    async def delete(self, key: str) -> None:
        """See `Storage.delete`. Folders that became empty go too."""
        await asyncio.to_thread(self._delete, self.path(key))

    async def keys(self) -> AsyncIterator[StoredKey]:
        """See `Storage.keys`."""
        for found in await asyncio.to_thread(lambda: list(self._walk())):
            yield found

    async def half_done(self, older_than_seconds: float) -> list[HalfDone]:
        """See `Storage.half_done`."""
        return await asyncio.to_thread(old_files, self._incoming, older_than_seconds)

    async def discard(self, half: HalfDone) -> None:
        """See `Storage.discard`."""
        await asyncio.to_thread(unlink, self._incoming / half.name)

    async def fetch(self, key: str, target: Path) -> None:
        """See `Storage.fetch`."""
        await asyncio.to_thread(_copy_out, self.path(key), target)

    @asynccontextmanager
    async def at_hand(self, key: str) -> AsyncIterator[Path]:
        """See `Storage.at_hand`: the stored file itself."""
        yield self.path(key)

    def path(self, key: str) -> Path:
        """Where the file of this key lies, or would lie."""
        return self._root / check_key(key)

    async def external_link(
        self, key: str, *, file_name: str, content_type: str, disposition: Disposition, ttl_seconds: int
    ) -> str | None:
        """Always None: Linkferry serves local files itself."""
        return None

    def links_end(self) -> None:
        """See `Storage.links_end`: never."""

    def _check(self) -> None:
        with clear_errors("cannot write into the folder of files"):
            space.try_writing(self._incoming)

    def _put(self, key: str, source: Path, seal: "Seal | None") -> StoredFile:
        target = self.path(key)
        with clear_errors(f"cannot store {source.name!r} as {key}"):
            if seal is None or seal.identity != _identity(source.lstat()):
                seal = _seal(source)
            os.utime(source, follow_symlinks=False)  # its time becomes the time of storing
            try:
                self._move(source, target)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise
                self._copy_in(source, target)
            return StoredFile(key, seal.size, seal.sha256)

    def _move(self, source: Path, target: Path) -> None:
        for attempt in range(_MOVE_TRIES):
            try:
                _make_folder(target.parent, self._root)
                source.replace(target)
            except (FileNotFoundError, FileExistsError):  # a delete next door took the empty folder
                if attempt + 1 == _MOVE_TRIES or not source.exists():
                    raise
            else:
                _sync_folder(target.parent)
                return

    def _copy_in(self, source: Path, target: Path) -> None:
        _make_folder(self._incoming, self._root)
        copy = self._incoming / uuid4().hex
        try:
            shutil.copyfile(source, copy)
            _sync_file(copy)
            self._move(copy, target)
        finally:
            copy.unlink(missing_ok=True)
        source.unlink()

    def _delete(self, path: Path) -> None:
        with clear_errors(f"cannot delete {path.name!r}"):
            with suppress(FileNotFoundError, NotADirectoryError):
                path.unlink()
            with suppress(OSError):  # not empty, or already gone: both are fine
                for folder in path.parents:
                    if folder == self._root:
                        break
                    folder.rmdir()

    def _walk(self) -> Iterator[StoredKey]:
        for folder, subfolders, names in os.walk(self._root):
            if Path(folder) == self._root and INCOMING in subfolders:
                subfolders.remove(INCOMING)
            for name in names:
                path = Path(folder, name)
                key = path.relative_to(self._root).as_posix()
                if is_key(key):  # others are not ours: NFS and file managers leave hidden ones
                    with suppress(FileNotFoundError):  # deleted while we walk
                        yield StoredKey(key, path.lstat().st_size)


@contextmanager
def clear_errors(what: str) -> Iterator[None]:
    """Errors of the file system become JobError(DISK_FULL) or StorageError."""
    try:
        yield
    except OSError as error:
        if space.is_out(error):
            raise JobError(Code.DISK_FULL, f"{what}: {error.strerror}") from error
        raise StorageError(f"{what}: {error.strerror or error}") from error


def unlink(path: Path) -> None:
    """Remove a file; fine when there is none. Raises StorageError."""
    with clear_errors(f"cannot delete {path.name!r}"):
        path.unlink(missing_ok=True)


def old_files(folder: Path, older_than_seconds: float) -> list[HalfDone]:
    """The files directly in a folder that nobody has changed for so long; none where there is no folder."""
    found = []
    if folder.is_dir():
        for path in folder.iterdir():
            with suppress(FileNotFoundError):  # another sweep, or the copy was finished just now
                info = path.stat(follow_symlinks=False)
                if S_ISREG(info.st_mode) and info.st_mtime < time.time() - older_than_seconds:
                    found.append(HalfDone(path.name, info.st_size))
    return found


def open_regular(path: Path) -> BufferedReader:
    """The open file. Raises OSError, also for what is no regular file."""
    # O_NOFOLLOW: a symbolic link in a work folder must not pull a foreign file into the storage;
    # O_NONBLOCK: opening a named pipe must not wait for a writer.
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb")
    if not S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file")
    return file


def _seal(source: Path) -> Seal:
    """Bring the file to the disk, and say what it is."""
    with open_regular(source) as file:
        descriptor = file.fileno()
        info = os.fstat(descriptor)
        digest = hashlib.file_digest(file, "sha256")  # in blocks, outside the interpreter lock
        os.fsync(descriptor)
        return Seal(_identity(info), info.st_size, digest.hexdigest())


def _size(path: Path) -> int | None:
    with suppress(FileNotFoundError, NotADirectoryError):
        info = path.stat()
        return info.st_size if S_ISREG(info.st_mode) else None
    return None


def _identity(info: os.stat_result) -> tuple[int, ...]:
    """Differs when the file was changed or replaced."""
    return info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns


def _copy_out(stored: Path, target: Path) -> None:
    temporary = target.with_name(f".{uuid4().hex}.part")
    with clear_errors(f"cannot place {stored.name!r} in {target.parent}"):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(stored, temporary)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _make_folder(folder: Path, root: Path) -> None:
    """Create the folder and its parents so that they survive a power cut."""
    if folder.is_dir():
        return
    if folder == root:
        root.mkdir(parents=True, exist_ok=True)
        return
    _make_folder(folder.parent, root)
    folder.mkdir(exist_ok=True)
    _sync_folder(folder.parent)


def _sync_file(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
