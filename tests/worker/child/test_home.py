"""The warm process's folder: one each, and nothing of a killed worker stays behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from worker.child.home import Home
from worker.child.server import ChildServer
from worker.child.warm import WarmProcess

KILLED = """
import os, signal, sys
from pathlib import Path
from worker.child.home import Home
(Home(Path(sys.argv[1])).path / "cache").write_text("x")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_worker_left_is_removed_and_what_is_in_use_is_not(tmp_path: Path) -> None:
    parent = tmp_path / "data" / "warm"
    one = Home(parent)
    subprocess.run([sys.executable, "-c", KILLED, str(parent)], timeout=60, check=False)
    assert len(list(parent.iterdir())) == 2
    (parent / "something else").mkdir()
    two = Home(parent)
    assert set(parent.iterdir()) == {one.path, two.path, parent / "something else"}
    for home in (one, two):
        (home.path / "cache").write_text("x")
        home.remove()
    assert list(parent.iterdir()) == [parent / "something else"]


async def test_the_server_uses_the_folder_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Path] = []

    async def start(home: str) -> WarmProcess:
        seen.append(Path(home))
        raise OSError("enough")

    monkeypatch.setattr(WarmProcess, "start", start)
    with pytest.raises(Exception, match="enough"):
        await ChildServer(tmp_path / "warm").start()
    assert seen[0].parent == tmp_path / "warm"
    assert list((tmp_path / "warm").iterdir()) == []
