"""How a rule of ours ends a call of yt-dlp's at once.

yt-dlp and the libraries below it catch `Exception` and try again. An `Abort` is a `BaseException`, so it
passes through all of that. Where it is swallowed all the same (a thread, a C callback), the tripwire
remembers the first one, and every later request meets it again.
"""

import threading

from shared.errors import Code


class Abort(BaseException):
    """One of our own rules was broken; `code` says which, `detail` is for the log.

    `sentence` replaces the code's own, as that of a `JobError` does.
    """

    def __init__(self, code: Code, detail: str, sentence: str | None = None) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
        self.sentence = sentence


class Tripwire:
    """Remembers the first abort of a call."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.first: Abort | None = None

    def trip(self, code: Code, detail: str, sentence: str | None = None) -> Abort:
        """Remember and return an abort, for the caller to raise."""
        abort = Abort(code, detail, sentence)
        with self._lock:
            self.first = self.first or abort
        return abort

    def check(self) -> None:
        """Raise the remembered abort, if any."""
        if self.first is not None:
            raise Abort(self.first.code, self.first.detail, self.first.sentence)

    def reset(self) -> None:
        """Forget; called between calls and around optional work such as a thumbnail."""
        self.first = None


TRIPWIRE = Tripwire()
