"""Translations kept by content, so that asking again, or for the other format, costs nothing.

Files and not rows: losing one costs only time, no other machine has to see it, and the database needs no
table that grows by whole transcripts. The janitor sweeps them together with the finished files: what people
had translated is kept as long as the results themselves, and never more than `MOST` bytes of it.
"""

import hashlib
import json
import logging
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

MOST = 200 * 1024 * 1024  # bytes


class Cache:
    """A folder of files, each the translations of one batch of sentences."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, key: str, count: int) -> list[str] | None:
        """The translations kept under a key; None when there are none, or other than `count`."""
        try:
            kept = json.loads(self._path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        is_good = isinstance(kept, list) and len(kept) == count and all(isinstance(t, str) for t in kept)
        return kept if is_good else None

    def write(self, key: str, translations: Sequence[str]) -> None:
        """Keep translations; nothing depends on it, so a full disk is only logged."""
        path = self._path(key)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=path.parent, suffix=".tmp")
            try:
                with os.fdopen(handle, "w", encoding="utf-8") as file:
                    json.dump(list(translations), file, ensure_ascii=False)
                Path(name).replace(path)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except (OSError, ValueError) as error:
            log.warning("a translation could not be kept: %s", error)

    def sweep(self, max_age: float, most: int = MOST) -> int:
        """Delete what is older than `max_age` seconds, and the oldest beyond `most` bytes; says how many."""
        found = []
        for path in self._folder.glob("*/*"):
            with suppress(OSError):
                status = path.stat()
                found.append((status.st_mtime, status.st_size, path))
        kept = removed = 0
        for written, size, path in sorted(found, reverse=True):
            kept += size
            if kept > most or written < time.time() - max_age:
                kept -= size
                with suppress(OSError):
                    path.unlink()
                    removed += 1
        return removed

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json"


def key_of(translator: str, source: str, target: str, sentences: Sequence[str]) -> str:
    """SHA-256 of all that decides a translation."""
    text = json.dumps([translator, source, target, list(sentences)])
    return hashlib.sha256(text.encode()).hexdigest()
