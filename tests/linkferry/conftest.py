"""Linkferry as a person runs it: real processes on a data folder and a port of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import psutil
import pytest

from tests.services import free_port
from tests.site.server import MediaSite
from tests.waiting import until

COMMAND = [sys.executable, "-m", "linkferry"]


class Home:
    """One installation: its data folder, its port, and what runs on it."""

    def __init__(self, folder: Path, allowed: str = "") -> None:
        self.folder = folder
        self.data = folder / "data"
        self.port = free_port()
        self.started: list[subprocess.Popen[str]] = []
        mine = {"DATA_DIR": str(self.data), "PORT": str(self.port), "ALLOWED_ADDRESSES": allowed}
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LINKFERRY_")}
        self.environment = kept | {f"LINKFERRY_{name}": value for name, value in mine.items()}
        self.environment.pop("PYTHONDONTWRITEBYTECODE", None)

    def start(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """A command that goes on by itself, with its output in pipes."""
        extra = {f"LINKFERRY_{name}": value for name, value in settings.items()}
        process = subprocess.Popen(
            [*COMMAND, *words],
            cwd=self.folder,
            env=self.environment | extra,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def run(self, *words: str, **settings: str) -> "Done":
        """A command, to its end."""
        return finish(self.start(*words, **settings))

    def service(self, *words: str, **settings: str) -> subprocess.Popen[str]:
        """`up` or `web`, once it answers."""
        process = self.start(*words, **settings)
        until(lambda: process.poll() is not None or self.answers())
        assert process.poll() is None, process.communicate()
        return process

    def answers(self) -> bool:
        """Whether something is healthy on our port."""
        try:
            with urlopen(f"http://127.0.0.1:{self.port}/health/live", timeout=2) as response:
                return bool(response.status == 200)
        except OSError:
            return False

    def close(self) -> None:
        """End whatever a failed test left running, with its children."""
        for process in self.started:
            if process.poll() is None:
                for child in psutil.Process(process.pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        child.kill()
                process.kill()
            process.communicate()


class Done:
    """How a command ended. No command ever shows a traceback."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err
        assert "Traceback" not in out + err

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


def finish(process: subprocess.Popen[str]) -> Done:
    """Wait for the end of a command."""
    out, err = process.communicate(timeout=120)
    return Done(process.returncode, out, err)


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Every process below this one."""
    return psutil.Process(process.pid).children(recursive=True)


def ended(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs any more."""
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


@pytest.fixture
def home(tmp_path: Path, site: MediaSite) -> Iterator[Home]:
    """A new installation that may fetch from the media site."""
    site.reset()
    home = Home(tmp_path, f"127.0.0.1:{site.port}")
    yield home
    home.close()
