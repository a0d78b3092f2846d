"""Where unfinished files live: one folder a job, kept across attempts, so that a download resumes."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO
from uuid import UUID

from shared.errors import Code, JobError
from shared.settings import Settings
from worker.child.protocol import StreamFile

LOCK = ".lock"  # a file in each folder, locked by whoever works there


def work_dir(settings: Settings, job_id: UUID) -> Path:
    """A job's own folder."""
    return settings.work_folder / str(job_id)


def work_folders(settings: Settings) -> list[tuple[UUID, Path]]:
    """All folders of jobs, with the id of the job; the youngest job's last."""
    found: list[tuple[UUID, Path]] = []
    for path in settings.work_folder.glob("*"):
        with suppress(ValueError):  # somebody else's
            found.append((UUID(path.name.partition(".")[0]), path))
    return sorted(found)


@contextmanager
def own_folder(folder: Path) -> Iterator[Path]:
    """The job's folder, for one attempt alone while the block runs; another beside it when it is taken.

    Then an earlier attempt has lost its lease without knowing: its worker stands still, but not its child,
    and two that resume the same download make a file of both.
    """
    for number in count():
        place = folder.with_name(f"{folder.name}.{number}") if number else folder
        with _locked(place) as is_ours:
            if is_ours:
                yield place
                return


def remove_unused(folder: Path) -> bool:
    """Remove a folder, unless somebody works in it: False. Raises OSError for what cannot be removed."""
    if not folder.exists():
        return True
    with _locked(folder) as is_ours:
        if not is_ours:
            return False
        empty(folder)
        (folder / LOCK).unlink()
    folder.rmdir()  # NFS keeps a name of what is open, so only now. Whoever began meanwhile has a new lock
    return True


def empty(folder: Path) -> None:
    """Remove what is in our own folder, as far as it can be."""
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LOCK:
            with suppress(OSError):
                path.unlink()


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Whether the folder, made if need be, is ours alone while the block runs, or until this process dies.

    A file is locked, not the folder: NFS keeps two machines apart only by files that are open for writing.
    """
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("ab")
        except (FileNotFoundError, FileExistsError):  # the folder was removed in this moment
            if os.path.lexists(folder) and not folder.is_dir():
                raise  # something else has its name
            continue
        with file:
            is_ours = _lock(file)
            if is_ours and not _is_at(path, file):  # so was the file
                continue
            yield is_ours
            return


def _lock(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def fetch_anew(folder: Path, error: JobError, files: Sequence[StreamFile]) -> None:
    """The next attempt is to fetch what is broken, not to find it in the folder.

    Raises JobError(DAMAGED) when files of the very same sizes were broken before: that is what there is.
    """
    for file in files:
        Path(file.path).unlink(missing_ok=True)
    sizes = " ".join(str(file.size) for file in files)
    noted = folder / "broken.txt"
    if noted.exists() and noted.read_text() == sizes:
        raise JobError(Code.DAMAGED, f"twice: {error.detail}") from error
    noted.write_text(sizes)
