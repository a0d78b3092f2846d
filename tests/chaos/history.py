"""What happened, one JSON object a line; every process appends, and what was appended survives its death."""

import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any


def say(text: str) -> None:
    """To whoever watches the run (`pytest -s`)."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class History:
    """A file that many processes append to. `what` names the kind of a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, what: str, **facts: Any) -> None:
        """Append a line: one write call, so that lines never mix and a SIGKILL loses none."""
        line = json.dumps({"what": what, **facts}, default=str) + "\n"
        target = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(target, line.encode())
        finally:
            os.close(target)

    def all(self, what: str) -> list[dict[str, Any]]:
        """Every line of a kind, oldest first."""
        if not self._path.exists():
            return []
        lines = map(json.loads, self._path.read_text().splitlines())
        return [line for line in lines if line["what"] == what]

    def hits(self) -> Counter[str]:
        """By job: how often its worker was killed or frozen while it had the job."""
        return Counter(job for line in self.all("hit") for job in line["jobs"])
