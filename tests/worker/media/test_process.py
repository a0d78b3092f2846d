"""One tool's process: what its failures mean, and that it is gone when it should be."""

import asyncio
import resource
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from shared.errors import Code, ConfigError, JobError
from tests.waiting import eventually
from worker.media import process

pytestmark = pytest.mark.slow  # it starts programs

PRINT_LIMIT = "import resource; print(resource.getrlimit(resource.RLIMIT_DATA)[0])"


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `run` start a shell in place of ffmpeg."""
    monkeypatch.setattr(process, "_command", lambda _tool: ("sh", "-c"))


@pytest.mark.parametrize(
    ("stderr", "code"),
    [
        ("av_interleaved_write_frame(): No space left on device\n", Code.DISK_FULL),
        ("Invalid data found when processing input\n", Code.BROKEN_FILE),
        ("", Code.BROKEN_FILE),
        ("x264 [error]: malloc of size 44329344 failed\nError while opening encoder\n", Code.TOO_LARGE),
        ("Failed to initialize encoder: Memory allocation error\n", Code.TOO_LARGE),
        ("Error while decoding stream #0:0: Cannot allocate memory\n", Code.TOO_LARGE),
    ],
)
def test_a_failure_is_told_by_its_last_words(stderr: str, code: Code) -> None:
    error = process.failure("ffmpeg", 1, "one\n" * 20 + stderr)
    assert error.code is code
    assert len(error.detail.split("|")) == 4


@pytest.mark.parametrize("ending", ["kill -KILL $$", "exit 255"])  # the latter is ffmpeg's own after SIGTERM
async def test_who_was_killed_has_proved_nothing_about_the_file(shell: None, ending: str) -> None:
    with pytest.raises(JobError) as caught:
        await process.run("ffmpeg", [ending], lambda _: None)
    assert caught.value.code is Code.INTERNAL


async def test_a_tool_has_a_limit_of_memory_and_what_is_ours_sets_its_own() -> None:
    limited = process._command("ffprobe")[:-1]
    assert Path(limited[0]).name == "prlimit"
    said = bytearray()
    await process.run(sys.executable, ["-c", PRINT_LIMIT], said.extend)
    assert int(said) == resource.getrlimit(resource.RLIMIT_DATA)[0]
    done = subprocess.run([*limited, sys.executable, "-c", PRINT_LIMIT], check=True, capture_output=True)
    assert int(done.stdout) == process.MEMORY


async def test_a_signal_to_the_whole_service_does_not_stop_ffmpeg() -> None:
    said, told = bytearray(), 0

    def terminate(data: bytes) -> None:
        nonlocal told
        said.extend(data)
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if child.name() == "ffmpeg":
                    child.send_signal(signal.SIGTERM)
                    told += b"progress=end" not in said

    source = ("-f", "lavfi", "-re", "-i", "sine=duration=4")
    await process.run("ffmpeg", ["-v", "error", *source, "-f", "null", "-progress", "pipe:1", "-"], terminate)
    assert told
    assert said.endswith(b"progress=end\n")


async def test_endless_complaints_are_read_and_forgotten(shell: None) -> None:
    script = "i=0; while [ $i -lt 20000 ]; do echo complaint $i >&2; i=$((i+1)); done; exit 1"
    with pytest.raises(JobError, match="complaint 19999"):
        await process.run("ffmpeg", [script], lambda _: None)


async def test_what_ignores_the_interrupt_is_killed_with_all_its_children(
    shell: None, tmp_path: Path
) -> None:
    pids: list[int] = []
    started = asyncio.Event()

    def feed(data: bytes) -> None:
        pids.extend(int(word) for word in data.split())
        started.set()

    task = asyncio.create_task(
        process.run("ffmpeg", ["trap '' INT; sleep 60 & echo $$ $!; while :; do wait; done"], feed)
    )
    await started.wait()
    task.cancel()
    async with asyncio.timeout(60):
        with pytest.raises(asyncio.CancelledError):
            await task
    assert len(pids) == 2
    # The kernel takes them away a moment after the signal.
    await eventually(lambda: not any(runs(pid) for pid in pids))


def runs(pid: int) -> bool:
    """Whether the process is there and more than a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_missing_tool_is_a_matter_of_installation() -> None:
    with pytest.raises(ConfigError, match="apt install ffmpeg"):
        await process.run("ffmpeg-that-nobody-has", [], lambda _: None)
