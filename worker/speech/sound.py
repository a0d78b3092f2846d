"""The sound of a file in windows of some minutes, so that ten hours need no more memory than one.

ffmpeg decodes into a pipe and waits while a window is listened to. A window is cut where it is quietest
near its end, so that no word is split.
"""

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from worker.media.process import DEMUXERS, PROTOCOLS, file_url, was_stopped

RATE = 16_000  # samples a second, which is what the models hear
WINDOW = 180 * RATE  # samples; more would take more memory, less would cut more often
SEARCH = 20 * RATE  # samples at the end of a window in which it is cut
LONGEST = 48 * 3600  # seconds; a file whose timestamps jump would fill years with silence
_FRAME = RATE // 50
_PAUSE = 15  # frames, 0.3 s: as short as pauses between sentences get

Samples = NDArray[np.int16]


class SoundBroken(Exception):
    """ffmpeg could not decode it to its end."""


class Window(NamedTuple):
    """A piece of the sound and where it starts, in samples."""

    start: int
    samples: Samples

    @property
    def end(self) -> int:
        """The first sample behind it."""
        return self.start + len(self.samples)


@contextmanager
def decoded(source: Path, start: float = 0.0, length: float | None = None) -> Iterator[IO[bytes]]:
    """The first sound track as 16-bit mono; `start` and `length` in seconds. Raises SoundBroken at the end,
    ChildProcessError when something else than the sound ended ffmpeg.

    Gaps become silence, so that the times are those of the video.
    """
    command = ["ffmpeg", "-nostdin", "-v", "quiet", "-threads", "1"]
    command += ["-protocol_whitelist", PROTOCOLS, "-format_whitelist", DEMUXERS]
    command += ["-ss", f"{start:.3f}", "-i", file_url(source), "-t", f"{length or LONGEST:.3f}"]
    command += [
        "-map",
        "0:a:0",
        "-af",
        f"aresample={RATE}:async=1:first_pts=0",
        "-ac",
        "1",
        "-f",
        "s16le",
        "-",
    ]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    try:
        yield process.stdout
        if status := process.wait():
            error = ChildProcessError if was_stopped(status) else SoundBroken
            raise error(f"ffmpeg ended with {status} on {source.name}")
    finally:
        process.kill()
        process.stdout.close()
        process.wait()


def windows(read: Callable[[int], bytes], skip: int = 0) -> Iterator[Window]:
    """Windows of what `read` gives, from sample number `skip` on; `read` gives less only at the end."""
    _read_past(read, skip)
    start, rest = skip, b""
    while True:
        data = rest + read(WINDOW * 2 - len(rest))
        samples: Samples = np.frombuffer(data, np.int16, len(data) // 2)
        if len(samples) < WINDOW:
            break
        cut = len(samples) - SEARCH + quietest(samples[-SEARCH:])
        rest = data[cut * 2 :]
        yield Window(start, samples[:cut])
        start += cut
    if len(samples):
        yield Window(start, samples)


def _read_past(read: Callable[[int], bytes], skip: int) -> None:
    """Decoding and dropping is exact in every container, which seeking is not."""
    left = skip * 2
    while left and (data := read(min(left, WINDOW))):
        left -= len(data)


def quietest(samples: Samples) -> int:
    """The middle of the quietest 0.3 s, as a number of samples; the last of several."""
    frames = samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loudness = np.abs(frames.astype(np.float32)).mean(axis=1)
    sums = np.convolve(loudness, np.ones(_PAUSE, np.float32), "valid")
    last = len(sums) - 1 - int(np.argmin(sums[::-1]))
    return (last + _PAUSE // 2) * _FRAME + _FRAME // 2
