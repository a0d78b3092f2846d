"""One overall progress from yt-dlp's status of each file. Pure."""

from collections.abc import Sequence
from typing import Any

from worker.child.protocol import Progress


class Meter:
    """Adds up the files of one download; sizes in bytes, None when unknown."""

    def __init__(self, expected: Sequence[int | None]) -> None:
        self._totals = list(expected)
        self._done = [0] * len(expected)
        self._parts: list[float | None] = [None] * len(expected)
        self._speed: float | None = None

    def update(self, place: int, status: dict[str, Any]) -> None:
        """Take a progress hook's status for the file at this place."""
        done = status.get("downloaded_bytes")
        total = status.get("total_bytes") or status.get("total_bytes_estimate")
        if status.get("status") == "finished":
            done = total = total or done
            self._parts[place] = 1.0
        elif status.get("fragment_count"):
            self._parts[place] = min(1.0, (status.get("fragment_index") or 0) / status["fragment_count"])
        if done is not None:
            self._done[place] = max(self._done[place], int(done))
        if total:
            self._totals[place] = int(total)
        self._speed = status.get("speed")

    def progress(self) -> Progress:
        """The state of all files together."""
        done = sum(self._done)
        known = [total for total in self._totals if total]
        total = max(sum(known), done) if known and len(known) == len(self._totals) else None
        fraction = done / total if total else self._fraction_by_parts()
        eta = (total - done) / self._speed if total and self._speed else None
        return Progress(done=done, total=total, fraction=fraction, speed=self._speed, eta=eta)

    def _fraction_by_parts(self) -> float | None:
        if all(part is None for part in self._parts):
            return None
        return sum(part or 0.0 for part in self._parts) / len(self._parts)
