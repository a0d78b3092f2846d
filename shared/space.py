"""Room on the disks that files pass through: the work folders', and local storage's."""

import errno
import os
import shutil
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

from shared.settings import Settings


def places(settings: Settings) -> list[Path]:
    """The folders that grow while jobs run; they need not be on the same file system."""
    return [settings.work_folder] if settings.uses_s3 else [settings.work_folder, settings.files_folder]


def free_bytes(folder: Path) -> int | None:
    """What may still be written where this folder is, or will be; None where nobody can tell."""
    try:
        there = next((path for path in (folder, *folder.parents) if path.exists()), folder)
        return shutil.disk_usage(there).free
    except OSError:
        return None


def free(settings: Settings) -> int | None:
    """Bytes that are free where there is least room; None where nobody can tell."""
    return min((free for place in places(settings) if (free := free_bytes(place)) is not None), default=None)


def is_out(error: BaseException) -> bool:
    """Whether it says that a disk, or a quota on it, is full."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def left(settings: Settings) -> int | None:
    """`free` without the reserve, which jobs may not touch. Below zero: it was."""
    found = free(settings)
    return None if found is None else found - settings.disk_reserve


def try_writing(folder: Path) -> None:
    """Make the folder when it is missing, and a file in it that is gone at once. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)  # links and files are their owner's business
    with TemporaryFile(dir=folder):
        pass


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder; what vanishes meanwhile counts nothing."""
    total = 0
    for inside, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += Path(inside, name).lstat().st_size
    return total
