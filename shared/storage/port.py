"""What Linkferry asks of a place that keeps files: a folder on this machine, or a bucket somewhere.

A key is relative, ASCII and lower than 512 characters, such as `2f/2f1c.../video.mp4`. No key is the
folder of another one: a folder cannot be a file at the same time, even where a bucket could.
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from shared.errors import LinkferryError

Disposition = Literal["inline", "attachment"]

MAX_KEY_LENGTH = 512  # S3 takes 1024 bytes; a prefix of its own must still fit

# Segments start with a letter or digit, so `.`, `..` and hidden names of our own are never keys.
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}(/[A-Za-z0-9][A-Za-z0-9._-]{0,199})*")


class StorageError(LinkferryError):
    """The storage could not do what it was asked; `str(error)` is for the log."""


class InvalidKey(StorageError):
    """A key that no implementation accepts, such as one that climbs out of the storage."""


@dataclass(frozen=True)
class Label:
    """What a storage that hands files out by itself must know of one. A folder keeps none of it.

    `tags` are for whoever looks into the storage (costs, clearing up), never for Linkferry itself.
    """

    content_type: str = "application/octet-stream"
    file_name: str = ""
    tags: dict[str, str] = field(default_factory=dict)


Progress = Callable[[float], None]
"""Hears how much of a file is stored, from 0 to 1, on the thread of the event loop."""


@dataclass(frozen=True)
class StoredFile:
    """What `put` stored. `size` is in bytes, `sha256` is lower-case hex."""

    key: str
    size: int
    sha256: str


@dataclass(frozen=True)
class StoredKey:
    """One file found by `keys`. `size` is in bytes."""

    key: str
    size: int


@dataclass(frozen=True)
class HalfDone:
    """What a crash left of a copy or an upload. `size` in bytes; `upload` is its id, empty for a copy."""

    name: str
    size: int
    upload: str = ""


PLAIN = Label()


class Storage(Protocol):
    """A place that keeps files under keys. Every method may be called from many tasks at once."""

    async def check(self) -> None:
        """Can files be kept now? Raises StorageError or JobError; ConfigError when an operator must act."""
        ...

    def expect(self, source: Path) -> None:
        """This file will most likely be `put` as it is: begin at once with what takes time."""
        ...

    def ahead(self, key: str, source: Path, *, label: Label = PLAIN) -> AbstractAsyncContextManager[None]:
        """While the block makes `source`, begin to send what is there; a `put` to this key goes on with it.

        Nothing can be seen before that. For files of which only the first kilobytes change once they are
        written; for others it is in vain. An error in the block takes back what was sent.
        """
        ...

    async def put(
        self,
        key: str,
        source: Path,
        *,
        label: Label = PLAIN,
        progress: Progress | None = None,
    ) -> StoredFile:
        """Move `source` to `key`, where nothing is yet; afterwards `source` is gone.

        The file is seen whole or not at all, and when this returns it survives a power cut. When the
        caller is cancelled the move may still happen: `keys` finds such orphans. Another file that is there
        stays, where the storage can tell. A storage that takes a while tells `progress`.

        Raises:
            InvalidKey: the key is not one.
            JobError: with `DISK_FULL` when there is no room; the source is still there.
            StorageError: the source is not a regular file, another file is there, or the storage failed.
        """
        ...

    async def unfinished(self, prefix: str) -> list[str]:
        """Keys that start with `prefix` whose `put` was cut short, newest first.

        A `put` of the same bytes under such a key goes on where that one was. None where storing is a rename.
        """
        ...

    async def size(self, key: str) -> int | None:
        """How many bytes the file under `key` has, or None when there is none."""
        ...

    async def delete(self, key: str) -> None:
        """Remove what lies under `key`; fine when there is nothing."""
        ...

    def keys(self) -> AsyncIterator[StoredKey]:
        """Every stored file in no order, for the sweep; what has a name that is no key is somebody else's."""
        ...

    async def half_done(self, older_than_seconds: float) -> list[HalfDone]:
        """What crashes left half done (copies, uploads), and how much of it is there."""
        ...

    async def discard(self, half: HalfDone) -> None:
        """Remove what `half_done` found; fine when it is gone."""
        ...

    async def fetch(self, key: str, target: Path) -> None:
        """Place a copy at `target`, replacing what was there; whoever gets it may change it.

        Raises:
            StorageError: there is no such file.
            JobError: with `DISK_FULL` when there is no room.
        """
        ...

    def at_hand(self, key: str) -> AbstractAsyncContextManager[Path]:
        """A file on this machine with the bytes, only to be read, while the block runs: maybe the stored one.

        Raises:
            StorageError: there is no such file; one that lies on this machine may just not be at the path.
            JobError: with `DISK_FULL` when there is no room for a copy.
        """
        ...

    def path(self, key: str) -> Path | None:
        """Where the file's bytes can be read on this machine, or None when they are elsewhere."""
        ...

    async def external_link(
        self, key: str, *, file_name: str, content_type: str, disposition: Disposition, ttl_seconds: int
    ) -> str | None:
        """A presigned link to the storage that lives `ttl_seconds`, or None: serve it from `path`."""
        ...

    def links_end(self) -> datetime | None:
        """When links to it stop working, whatever they say, as what signs them ends. None: as they say."""
        ...


def check_key(key: str) -> str:
    """Give the key back, or raise `InvalidKey`."""
    if not is_key(key):
        raise InvalidKey(f"not a storage key: {key[:100]!r}")
    return key


def is_key(text: str) -> bool:
    """Whether this is a key that every implementation accepts."""
    return len(text) <= MAX_KEY_LENGTH and _KEY.fullmatch(text) is not None
