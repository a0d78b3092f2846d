"""One process of a tool: in its own process group, read without blocking, gone when cancelled.

The files come from strangers, so ffmpeg and ffprobe are told which protocols and which containers exist.
Playlists and concat scripts are no containers here: they could name other files and addresses.
"""

import asyncio
import functools
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from shared.errors import Code, ConfigError, JobError

PROTOCOLS = "file,pipe"
DEMUXERS = "mov,mp4,m4a,matroska,webm,mpegts,mpeg,mp3,aac,ac3,eac3,flac,ogg,wav,aiff,flv,avi,asf"
PATIENCE = 0.5  # seconds between SIGINT and SIGKILL
# Bytes ffmpeg or ffprobe may take, or a small file with huge pictures takes the machine. The dearest of real
# films, 2160p in 10 bits to H.264 or VP9 with the most threads there are (`convert.THREADS`), takes 1.6 GiB;
# the number of cores changes nothing.
MEMORY = 2 * 1024**3
NO_MEMORY = "To work on this takes more memory than I may use."
_NO_MEMORY = re.compile("Cannot allocate memory|Memory allocation error|malloc of size")
_STOPPED = 255  # ffmpeg's exit status after a signal it can catch; its errors are 1
_CHUNK = 64 * 1024
_TAIL = 4 * 1024  # bytes of stderr worth keeping


def file_url(path: Path) -> str:
    """The path as both tools must get it: never an option, never another protocol."""
    return f"file:{path.absolute()}"


def failure(tool: str, status: int, stderr: str) -> JobError:
    """What a tool's exit status and its last words mean. Only what it says itself is said about the file."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    detail = f"{tool}: " + (" | ".join(lines[-4:]) or f"ended with {status} and no word")
    if "No space left on device" in stderr or "Disk quota exceeded" in stderr:
        return JobError(Code.DISK_FULL, detail)
    if _NO_MEMORY.search(stderr):
        return JobError(Code.TOO_LARGE, detail, sentence=NO_MEMORY)
    return JobError(Code.INTERNAL if was_stopped(status) else Code.BROKEN_FILE, detail)


def was_stopped(status: int) -> bool:
    """Whether ffmpeg or ffprobe ended because of a signal: the kernel's that needs memory, or somebody's."""
    return status < 0 or status == _STOPPED


async def run(
    tool: str, args: Sequence[str], feed: Callable[[bytes], None], env: Mapping[str, str] | None = None
) -> None:
    """Run a tool to its end; `feed` gets its standard output piece by piece. `env` replaces the environment.

    Raises what `failure` says when the tool fails, ConfigError when it is not installed.
    Whatever ends this call early (cancellation, an exception from `feed`) kills the process group first.
    """
    command = await asyncio.to_thread(_command, tool)
    process = await asyncio.create_subprocess_exec(
        *command,
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
        raise failure(tool, status, tail.decode(errors="replace"))


@functools.cache
def _command(tool: str) -> tuple[str, ...]:
    path = shutil.which(tool)
    if path is None:
        raise ConfigError(f"{tool} is not installed. Install ffmpeg, for example: apt install ffmpeg")
    # A worker that is killed takes its ffmpeg along, or the next attempt would share the machine with it.
    setpriv = shutil.which("setpriv")
    tied = (setpriv, "--pdeathsig", "KILL", path) if setpriv else (path,)
    prlimit = shutil.which("prlimit") if tool != sys.executable else None  # what is ours limits itself
    limited = (prlimit, f"--data={_allowed_memory()}") if prlimit else ()
    return (*limited, *_deaf_to_terminate(), *tied)


@functools.cache
def _deaf_to_terminate() -> tuple[str, ...]:
    """What to put before a tool, so that a SIGTERM to the whole service does not end it: the worker drains.

    Blocked, not ignored: ffmpeg sets a handler of its own, but unblocks nothing. Empty where `env` cannot do
    it, which is not that of GNU coreutils 8.31 or newer.
    """
    deaf = (shutil.which("env") or "env", "--block-signal=TERM")
    try:
        subprocess.run((*deaf, "true"), stdin=subprocess.DEVNULL, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ()
    return deaf


def _allowed_memory() -> int:
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    return MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)


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
