"""Dying at a named point. Only the mains of these tests know of it, and only when the environment says so."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.history import History

VARIABLE = "CHAOS_KILL_FILE"  # names a file; while it holds the name of a point, a process dies there


class Reaper:
    """Kills this process at the point that the file names. `carried` tells which jobs go down with it."""

    def __init__(self, history: History, carried: Callable[[], list[str]]) -> None:
        name = os.environ.get(VARIABLE)
        self._file = Path(name) if name else None
        self._history = history
        self._carried = carried

    def at(self, point: str) -> None:
        """Die here, if here is the place."""
        if self._file is None or not self._is_meant(self._file, point):
            return
        self._history.note("hit", how=point, pid=os.getpid(), jobs=self._carried())
        os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _is_meant(file: Path, point: str) -> bool:
        """Whether this is the place, and nobody else came here first: a file can be removed only once."""
        try:
            if file.read_text() != point:
                return False
            file.unlink()
        except FileNotFoundError:
            return False
        return True

    def before(self, owner: object, name: str, point: str, when: Callable[..., bool] | None = None) -> None:
        """Make a point of the moment before this function is called (with such arguments)."""
        real = getattr(owner, name)

        def reached(*args: Any, **kwargs: Any) -> Any:
            if when is None or when(*args, **kwargs):
                self.at(point)
            return real(*args, **kwargs)

        setattr(owner, name, reached)

    def after(self, owner: object, name: str, point: str) -> None:
        """Make a point of the moment after this coroutine function has ended well."""
        real = getattr(owner, name)

        async def passed(*args: Any, **kwargs: Any) -> Any:
            result = await real(*args, **kwargs)
            self.at(point)
            return result

        setattr(owner, name, passed)
