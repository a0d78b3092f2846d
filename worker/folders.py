"""Where unfinished files live: one folder a job, kept across attempts, so that a download resumes."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from shared.errors import Code, JobError
from shared.settings import Settings
from worker.child.protocol import StreamFile


def work_dir(settings: Settings, job_id: UUID) -> Path:
    """A job's own folder."""
    return settings.work_folder / str(job_id)


@contextmanager
def own_folder(folder: Path, attempt: int) -> Iterator[Path]:
    """The job's folder, for this attempt alone while the block runs; a fresh one inside when it is taken.

    Then an earlier attempt has lost its lease without knowing: its worker stands still, but not its child,
    and two that resume the same download make a file of both. The kernel lets go when a worker dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            folder = folder / f"attempt-{attempt}"
            folder.mkdir(exist_ok=True)
        yield folder
    finally:
        os.close(handle)


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
