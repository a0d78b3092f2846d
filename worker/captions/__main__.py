"""One conversion in a process of its own, started by `apart.py` as `python -m worker.captions TASK`.

TASK is a JSON file; its fields are the arguments below. Exit status 0 says that every target is written.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any

from worker.captions.convert import convert
from worker.captions.cues import Part


def main(
    source: str,
    format: str,
    automatic: bool,
    targets: dict[str, str],
    chapters: list[list[Any]],
    clip: list[float] | None,
    translations: str | None,
    language: str | None,
    watch_url: str | None,
) -> None:
    """Read the caption file `source` and write it in the formats that `targets` names, each to its path."""
    texts = convert(
        Path(source).read_bytes(),
        format,
        automatic=automatic,
        formats=list(targets),
        chapters=[Part(*chapter) for chapter in chapters],
        clip=Part(clip[0], clip[1]) if clip else None,
        translations=json.loads(Path(translations).read_text(encoding="utf-8")) if translations else None,
        language=language,
        watch_url=watch_url,
    )
    for name, text in texts.items():
        Path(targets[name]).write_text(text, encoding="utf-8", newline="")


def limit_to(memory: int, seconds: int, file_size: int) -> None:
    """Sizes in bytes, `seconds` of processor time; beyond them the kernel ends the process."""
    for kind, most in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, file_size),
    ):
        resource.setrlimit(kind, (most, most))


if __name__ == "__main__":
    task = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    limit_to(**task.pop("limits"))
    main(**task)
