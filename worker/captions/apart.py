"""Convert captions in a process of their own: a file made to eat memory or time takes only that one down.

The process imports nothing but what reads and writes captions, so it costs a tenth of a second.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import worker
from shared.errors import Code, JobError
from worker.captions.cues import Chapter, Span
from worker.media.process import run

MEMORY = 512 * 1024 * 1024  # bytes; ten hours of speech with a time for every word need a quarter of it
FILE_SIZE = 256 * 1024 * 1024  # bytes


async def convert_apart(
    source: Path,
    format: str,
    targets: Mapping[str, Path],
    *,
    automatic: bool,
    chapters: Iterable[Chapter] = (),
    clip: Span | None = None,
    translations: Path | None = None,
    language: str | None = None,
    watch_url: str | None = None,
    patience: float,
) -> None:
    """`worker.captions.convert` from a file to files: `targets` says where each format goes.

    `translations` is a JSON file of an object, sentence to translation.

    Raises JobError when the file cannot be converted, or not within `patience` seconds or the limits.
    """
    task = {
        "source": str(source),
        "format": format,
        "automatic": automatic,
        "targets": {name: str(path) for name, path in targets.items()},
        "chapters": [(chapter.start, chapter.end, chapter.title) for chapter in chapters],
        "clip": (clip.start, clip.end) if clip else None,
        "translations": str(translations) if translations else None,
        "language": language,
        "watch_url": watch_url,
        "limits": {"memory": MEMORY, "seconds": max(1, int(patience)), "file_size": FILE_SIZE},
    }
    note = source.with_name(f"{source.name}.task.json")
    note.write_text(json.dumps(task), encoding="utf-8")
    try:
        async with asyncio.timeout(patience):
            await run(sys.executable, ("-m", "worker.captions", str(note)), lambda _: None, _environment())
    except TimeoutError as error:
        raise JobError(Code.STALLED, f"converting {source.name} took too long") from error
    finally:
        note.unlink(missing_ok=True)


def _environment() -> dict[str, str]:
    """Nothing of the worker's: its secrets are no business of what reads a stranger's file."""
    root = str(Path(next(iter(worker.__path__))).parent)
    return {"PATH": os.defpath, "PYTHONPATH": root, "PYTHONUTF8": "1"}
