"""Storing 1 GB in S3 beside a tuned bare `boto3.upload_file`: same file, server and machine, round by round.

    .venv/bin/python -m benchmarks.s3

The server is a sink of ours on loopback (benchmarks/s3sink.py), which reads and throws away. Each upload is a
process of its own, so that its peak memory is its own. Our side also hashes the file for its link's entity
tag, looks for what a crash left, and reports progress; `upload_file` does none of it. The file is in the page
cache.

Then, over a line of `LINE` bytes a second, a film that is still being made, at `MAKING` bytes a second: how
long after its end it is stored, when it is sent while it grows, as mkv, webm, mp3 and wav are, and when it is
not, as mp4 and m4a.
"""

import argparse
import asyncio
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

from benchmarks.serving import _free_port

SIZE = 1000 * 1000 * 1000  # bytes
TARGET = 0.9
MEMORY = 200  # MB
MAKING = 100_000_000  # bytes a second; a fast encoder
LINE = 125_000_000  # bytes a second: a gigabit
BLOCK = 1000 * 1000  # bytes
DUMMY = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "y", "AWS_EC2_METADATA_DISABLED": "true"}


def main() -> int:
    """Measure and print both medians, their ratio and the peak memory; 0 when both goals are met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        who, url, path = options.one
        seconds = RUNS[who](url, Path(path))
        print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return 0
    speeds, peaks, tails = _measure(options.rounds)
    for who, values in speeds.items():
        low, high = min(values), max(values)
        middle, peak = statistics.median(values), peaks[who]
        print(f"{who:12} {middle:6.0f} MB/s  (from {low:.0f} to {high:.0f}), at most {peak:.0f} MB of memory")
    # Round by round: a shared machine is not equally fast all the time.
    pairs = zip(speeds["linkferry"], speeds["upload_file"], strict=True)
    ratio = statistics.median(ours / bare for ours, bare in pairs)
    print(f"ratio        {ratio:6.2f}       (at least {TARGET}; memory under {MEMORY} MB)")
    print(
        f"stored       {tails['ahead']:6.2f} s     after its end, sent ahead; {tails['whole']:.2f} s when not"
    )
    is_small = max(peaks[who] for who in ("linkferry", "ahead", "whole")) < MEMORY
    return 0 if ratio >= TARGET and is_small and tails["ahead"] < tails["whole"] else 1


def _measure(rounds: int) -> tuple[dict[str, list[float]], dict[str, float], dict[str, float]]:
    """MB/s, peak MB, and the seconds after a film's end."""
    speeds: dict[str, list[float]] = {"upload_file": [], "linkferry": []}
    peaks, tails = dict.fromkeys(RUNS, 0.0), dict[str, float]()
    with tempfile.TemporaryDirectory(prefix="linkferry-s3-") as name:
        film = Path(name, "film.mp4")
        _write(film)
        with _sink() as url:
            for turn in range(rounds + 1):  # the first one only warms up
                for who in speeds:
                    seconds, memory = _run(who, url, film)
                    if turn:
                        speeds[who].append(SIZE / seconds / 1e6)
                        peaks[who] = max(peaks[who], memory)
        with _sink(LINE) as url:
            for who in ("whole", "ahead"):
                tails[who], peaks[who] = _run(who, url, film)
    return speeds, peaks, tails


@contextmanager
def _sink(rate: int = 0) -> Iterator[str]:
    port = _free_port()
    sink = subprocess.Popen([sys.executable, "-m", "benchmarks.s3sink", str(port), str(rate)])
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        sink.kill()
        sink.wait()


def _run(who: str, url: str, film: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.s3", "--one", who, url, str(film)]
    output = subprocess.run(
        command, check=True, capture_output=True, text=True, env={**os.environ, **DUMMY}
    ).stdout
    seconds, memory = map(float, output.split())
    return seconds, memory


def _write(path: Path) -> None:
    block = os.urandom(BLOCK)
    with path.open("wb") as file:
        for _ in range(SIZE // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _ours(url: str, film: Path) -> float:
    from shared.settings import Settings
    from shared.storage.s3 import S3Storage

    # A second name: storing a file takes it away.
    source = film.with_name(f"{os.getpid()}.mp4")
    source.hardlink_to(film)
    storage = S3Storage.of(Settings(_env_file=None, s3_bucket="films", s3_endpoint_url=url))
    shares: list[float] = []
    started = time.perf_counter()
    asyncio.run(storage.put(f"job/{source.name}", source, progress=shares.append))
    seconds = time.perf_counter() - started
    assert not source.exists()
    return seconds


def _bare(url: str, film: Path) -> float:
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config

    # Tuned: of 8 MiB by 6 threads, 8 by 10, 16 by 4, 32 by 3 and 64 by 2 the last was the fastest here.
    config = Config(s3={"addressing_style": "path"}, max_pool_connections=32, tcp_keepalive=True)
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1", config=config)
    chunk = 64 * 1024 * 1024
    transfer = TransferConfig(
        multipart_threshold=chunk,
        multipart_chunksize=chunk,
        max_concurrency=2,
        io_chunksize=1024 * 1024,
    )
    started = time.perf_counter()
    client.upload_file(str(film), "films", "job/film.mp4", Config=transfer)
    return time.perf_counter() - started


def _tail(url: str, film: Path, *, ahead: bool) -> float:
    """Make a film, and store it; seconds between its end and its being stored."""
    from shared.settings import Settings
    from shared.storage.s3 import S3Storage

    storage = S3Storage.of(Settings(_env_file=None, s3_bucket="films", s3_endpoint_url=url))
    growing = film.with_name(f"{os.getpid()}.mkv")

    async def run() -> float:
        sending = storage.ahead(f"job/{growing.name}", growing) if ahead else nullcontext()
        async with sending:
            await asyncio.to_thread(_make, growing)
            ended = time.perf_counter()
        await storage.put(f"job/{growing.name}", growing)
        return time.perf_counter() - ended

    return asyncio.run(run())


def _make(path: Path) -> None:
    block = os.urandom(BLOCK)
    began = time.perf_counter()
    with path.open("wb", buffering=0) as file:
        for number in range(SIZE // BLOCK):
            file.write(block)
            time.sleep(max(0.0, began + number * BLOCK / MAKING - time.perf_counter()))


RUNS = {
    "upload_file": _bare,
    "linkferry": _ours,
    "whole": partial(_tail, ahead=False),
    "ahead": partial(_tail, ahead=True),
}

if __name__ == "__main__":
    sys.exit(main())
