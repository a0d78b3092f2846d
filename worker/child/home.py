"""The warm process's own folder: its home and its caches, gone with it even when nobody could clean up.

A folder in use is locked by the worker that made it, so that one a killed worker left is told from one in
use, whichever process or container looks.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from pathlib import Path

log = logging.getLogger(__name__)

_PREFIX = "linkferry-child-"


class Home:
    """An empty folder below `parent` (the system's folder for temporary files when None)."""

    def __init__(self, parent: Path | None) -> None:
        """Remove what killed workers left below `parent`, and make a new folder there. Raises OSError."""
        if parent is None:
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX))
            self._lock = _lock(self.path)
            return
        parent.mkdir(parents=True, exist_ok=True)
        gate = os.open(parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(gate, fcntl.LOCK_EX)  # so that nobody sees a new folder before it is locked
            _remove_stale(parent)
            self.path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent.absolute()))
            self._lock = _lock(self.path)
        finally:
            os.close(gate)

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(folder: Path) -> int | None:
    """Lock a folder for as long as the descriptor is open; None when somebody else has it locked."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def _remove_stale(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        try:
            lock = _lock(folder)
        except OSError as error:  # gone meanwhile, or not ours
            log.info("left alone: %s (%s)", folder.name, error)
            continue
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
