"""What has been heard so far, one line a window: a recognition of hours goes on where it was stopped."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from worker.speech.model import Word

Line = dict[str, Any]


class Journal:
    """A file of JSON lines. `until` is the sample up to which everything is heard."""

    def __init__(self, path: Path, about: object) -> None:
        """Go on with the file when it is `about` the same; else, and from a torn line on, write anew."""
        self._path = path
        self.until = 0
        self.language: str | None = None
        self.words = 0
        end = self._read(json.dumps({"about": about}))
        if end:
            with path.open("r+b") as file:
                file.truncate(end)
        else:
            path.write_text(json.dumps({"about": about}) + "\n", encoding="utf-8")

    def _read(self, head: str) -> int:
        """Take over the whole lines; returns the bytes they take."""
        if not self._path.exists():
            return 0
        with self._path.open("rb") as file:
            if file.readline() != head.encode() + b"\n":
                return 0
            end = file.tell()
            for raw in file:
                if (line := _parsed(raw)) is None:
                    break
                self._count(line)
                end += len(raw)
        return end

    def add(self, until: int, language: str | None, words: Iterable[Word]) -> None:
        """A window is heard. Its words' times count from the start of the whole sound."""
        rounded = [[round(word.start, 3), round(word.end, 3), word.text] for word in words]
        line: Line = {"until": until, "language": language, "words": rounded}
        with self._path.open("ab") as file:
            file.write(json.dumps(line, ensure_ascii=False).encode(errors="replace") + b"\n")
        self._count(line)

    def _count(self, line: Line) -> None:
        self.until, self.language = line["until"], line["language"] or self.language
        self.words += len(line["words"])

    def read(self) -> Iterator[Word]:
        """Every word so far."""
        with self._path.open("rb") as file:
            file.readline()
            for raw in file:
                yield from (Word(*word) for word in json.loads(raw)["words"])


def _parsed(raw: bytes) -> Line | None:
    try:
        line = json.loads(raw)
        return line if raw.endswith(b"\n") and {"until", "language", "words"} <= line.keys() else None
    except (ValueError, AttributeError):
        return None
