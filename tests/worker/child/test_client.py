"""A child is not believed: what it names must be its own, and what it tells must have the right form."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from shared.options import Options
from worker.child.client import Child, ChildCrashed
from worker.child.protocol import Limits, StreamFile

Ask = Callable[[Child], Any]
LIMITS = Limits(max_bytes=1, wall_clock=60, no_progress=60)
FILM = StreamFile(path="film.mp4", kind="both", size=1)


@asynccontextmanager
async def lying(folder: Path, **answer: Any) -> AsyncIterator[Child]:
    """A child that gives the same answer to whatever it is asked."""
    ours, theirs = socket.socketpair()

    async def kill() -> None:
        """There is no process."""

    async def answering() -> None:
        reader, writer = await asyncio.open_unix_connection(sock=theirs)
        for reply in ({}, answer):
            await reader.readline()
            writer.write(json.dumps({"type": "reply", **reply}).encode() + b"\n")
        await reader.read()
        writer.close()

    task = asyncio.create_task(answering())
    streams = await asyncio.open_unix_connection(sock=ours)
    child = Child(0, LIMITS, streams, asyncio.get_running_loop().create_future(), kill)
    await child.hello(folder, None)
    yield child
    streams[1].close()
    await task


def download(child: Child) -> Any:
    return child.download(Options(), lambda _: None)


def naming(path: str) -> list[tuple[Ask, dict[str, Any]]]:
    """Every way to name a path."""
    file = {"path": path, "kind": "both", "size": 1}
    track = {"path": path, "language": "en", "source": "manual", "format": "vtt"}
    return [
        (download, {"files": [file]}),
        (lambda child: child.captions(["en"]), {"captions": [track]}),
        (lambda child: child.extras(), {"info": path}),
        (lambda child: child.extras(), {"thumbnail": path, "info": "{own}"}),
    ]


@pytest.mark.parametrize(
    "path",
    [
        "{folder}/../secret_keys",
        "{folder}/link",
        "{folder}",
        "{folder}/none",
        "film.mp4",
        "",
        "\0",
        "{circle}",
    ],
)
async def test_a_path_that_is_none_of_its_files_is_a_lie(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "work"
    folder.mkdir()
    (tmp_path / "secret_keys").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret_keys")
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "info.json").touch()
    named = path.format(folder=folder, circle=folder / "circle")
    for ask, answer in naming(named):
        told = json.loads(json.dumps(answer).replace("{own}", str(folder / "info.json")))
        async with lying(folder, **told) as child:
            with pytest.raises(ChildCrashed):
                await ask(child)


@pytest.mark.parametrize(
    "looks",
    [
        [],
        [{}, {}],
        [{"streams": [{}]}],
        [{"format": 3}],
        [{"format": {"duration": "NaN"}}],
        [{"frames": {"a": 1}}],
        "looks",
    ],
    ids=str,
)
async def test_a_look_that_is_none_is_a_lie(tmp_path: Path, looks: Any) -> None:
    async with lying(tmp_path, looks=looks) as child:
        with pytest.raises(ChildCrashed):
            await child.look([FILM])
