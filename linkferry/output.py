"""Standard output, whose failures are told from those of everything else."""

import io
import sys
from typing import Any


class OutputLost(Exception):
    """Standard output takes nothing any more."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(f"I cannot write the output: {cause.strerror}.")
        # whoever read it has had enough, as `head` has
        self.nobody_reads = isinstance(cause, BrokenPipeError)


class Stdout(io.FileIO):
    """Raises OutputLost: OSError could be of anything, and each library has its idea of a broken pipe."""

    def write(self, data: Any) -> int:
        """Write, as a file does."""
        try:
            return super().write(data)
        except OSError as error:
            raise OutputLost(error) from error


def watch_stdout() -> None:
    """Let whatever is printed from now on raise OutputLost when it cannot be written."""
    if now := sys.stdout:  # None where it is closed
        out = io.BufferedWriter(Stdout(now.fileno(), "w", closefd=False))
        sys.stdout = io.TextIOWrapper(out, now.encoding, now.errors, line_buffering=now.isatty())
