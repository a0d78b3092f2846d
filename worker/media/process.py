"""One process of a tool: in its own process group, read without blocking, gone when cancelled.

The files come from strangers, so ffmpeg and ffprobe are told which protocols and which containers exist.
Playlists and concat scripts are no containers here: they could name other files and addresses.
"""

import asyncio
import functools
import os
import shutil
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shared.errors import Code, ConfigError, JobError

PROTOCOLS = "file,pipe"
DEMUXERS = "mov,mp4,m4a,matroska,webm,mpegts,mpeg,mp3,aac,ac3,eac3,flac,ogg,wav,aiff,flv,avi,asf"
PATIENCE = 0.5  # seconds between SIGINT and SIGKILL
_CHUNK = 64 * 1024
_TAIL = 4 * 1024  # bytes of stderr worth keeping


def file_url(path: Path) -> str:
    """The path as both tools must get it: never an option, never another protocol."""
    return f"file:{path.absolute()}"


def failure(tool: str, stderr: str) -> JobError:
    """What the last words of a tool mean."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    detail = f"{tool}: " + (" | ".join(lines[-4:]) or "failed without a word")
    full = "No space left on device" in stderr or "Disk quota exceeded" in stderr
    return JobError(Code.DISK_FULL if full else Code.BROKEN_FILE, detail)


async def run(
    tool: str, args: Sequence[str], feed: Callable[[bytes], None], env: Mapping[str, str] | None = None
) -> None:
    """Run a tool to its end; `feed` gets its standard output piece by piece. `env` replaces the environment.

    Raises JobError(BROKEN_FILE or DISK_FULL) when the tool fails, ConfigError when it is not installed.
    Whatever ends this call early (cancellation, an exception from `feed`) kills the process group first.
    """
    process = await asyncio.create_subprocess_exec(
        *_command(tool),
        *args,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
        env=env,
    )
    assert process.stdout and process.stderr  # noqa: S101 - both are pipes
    tail = bytearray()

    def keep_tail(data: bytes) -> None:
        tail.extend(data)
        del tail[:-_TAIL]

    try:
        await asyncio.gather(_drain(process.stdout, feed), _drain(process.stderr, keep_tail))
        status = await process.wait()
    except BaseException:
        await _stop(process)
        raise
    if status != 0:
        raise failure(tool, tail.decode(errors="replace"))


@functools.cache
def _command(tool: str) -> tuple[str, ...]:
    path = shutil.which(tool)
    if path is None:
        raise ConfigError(f"{tool} is not installed. Install ffmpeg, for example: apt install ffmpeg")
    # A worker that is killed takes its ffmpeg along, or the next attempt would share the machine with it.
    setpriv = shutil.which("setpriv")
    return (setpriv, "--pdeathsig", "KILL", path) if setpriv else (path,)


async def _drain(stream: asyncio.StreamReader, feed: Callable[[bytes], None]) -> None:
    while data := await stream.read(_CHUNK):
        feed(data)


async def _stop(process: asyncio.subprocess.Process) -> None:
    try:
        _signal(process, signal.SIGINT)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await process.wait()
    finally:  # also when a second cancellation cuts the patience short
        _signal(process, signal.SIGKILL)
    with suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await process.wait()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
