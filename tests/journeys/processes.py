"""Services in processes of their own, to be killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.site.server import MediaSite

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "tests" / "site" / "plugin"
PATIENCE = 60.0  # seconds until a test gives up waiting for a process


class Home:
    """A folder that is the whole world of a service: data, temporary files, home, working directory.

    `TMPDIR` is passed on to every process below the service, so it tells which ones belong to it.
    """

    def __init__(self, folder: Path, site: MediaSite) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.chat = folder / "chat.jsonl"
        self.log = folder / "log.txt"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        (folder / "cwd").mkdir()
        self._site = site

    def environment(self, **more: str) -> dict[str, str]:
        """What the service sees of this machine, and its settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINKFERRY_")}
        kept.pop("PYTHONDONTWRITEBYTECODE", None)
        return kept | {
            "HOME": str(self.folder / "cwd"),
            "TMPDIR": str(self.temporary),
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(PLUGIN))),
            "LINKFERRY_DATA_DIR": str(self.data),
            "LINKFERRY_ALLOWED_ADDRESSES": f"127.0.0.1:{self._site.port}",
            "LINKFERRY_LOG_FORMAT": "text",
            "RECORDING_CHAT": str(self.chat),
            **more,
        }

    @contextmanager
    def running(self, *command: str, **more: str) -> Iterator[subprocess.Popen[bytes]]:
        """A Python process with these arguments; killed at the end if it still runs."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command],
                env=self.environment(**more),
                cwd=self.folder / "cwd",
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            process.wait(PATIENCE)

    def leftovers(self) -> list[str]:
        """Processes that were started below a service of this home and have not ended."""
        mark = str(self.temporary)
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("TMPDIR") == mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(f"{process.pid} {' '.join(process.cmdline())}")
        return found

    def log_text(self) -> str:
        """Everything the services said."""
        return self.log.read_text()


def wait_for_kill(process: subprocess.Popen[bytes]) -> None:
    """The process kills itself; anything else is an error."""
    assert process.wait(PATIENCE) == -signal.SIGKILL


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM; returns the exit code."""
    process.send_signal(signal.SIGTERM)
    return process.wait(PATIENCE)


def nothing_left(home: Home) -> bool:
    """Whether every process below the service is gone; the kernel needs a moment for it."""
    ends = time.monotonic() + PATIENCE
    while home.leftovers() and time.monotonic() < ends:
        time.sleep(0.05)
    return not home.leftovers()
