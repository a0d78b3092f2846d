"""The whole journey beside the plain `yt-dlp` command: the same link, the same media site, turn by turn.

    .venv/bin/python -m benchmarks.journey [--rounds N]

Our time runs from the request over the REST API to the signed link; the service is warm, as it is in real
life. The command starts cold, as it always does. Ten of them run one after the other, and for comparison
also all at once, which keeps every core busy. Memory is the service's whole process tree while it carries
1 GB, shared pages counted once (PSS).
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import httpx
import psutil
from websockets.asyncio.client import connect

from tests.services import free_port
from tests.site.server import MediaSite

YT_DLP = Path(sys.executable).with_name("yt-dlp")
LINKFERRY = Path(sys.executable).with_name("linkferry")
START_TIMEOUT = 30  # seconds
MEMORY_TARGET = 250  # MB


def main() -> int:
    """Measure everything and print it; 0 when every aim is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory(prefix="linkferry-journey-") as name, MediaSite() as site:
        folder = Path(name)
        with service(folder, site) as (base, process):
            warm_up(base, site)
            verdicts = [
                compare("30 MB file", base, folder, [site.url("/big/30MB.mp4")], rounds, 0.25),
                compare("ten 2 MB files at once", base, folder, ten(site), rounds, 0.06),
                compare("  beside commands at once", base, folder, ten(site), rounds, None, at_once),
                compare(
                    "HLS, 60 segments of 60 ms",
                    base,
                    folder,
                    [site.url("/hls60/index.m3u8?latency=0.06")],
                    rounds,
                    0.25,
                ),
                repeated(base, site),
                memory(base, site, process),
            ]
    return 0 if all(verdicts) else 1


@contextmanager
def service(folder: Path, site: MediaSite) -> Iterator[tuple[str, psutil.Process]]:
    """`linkferry up` on a free port, with a data folder of its own."""
    port = free_port()
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {
        "LINKFERRY_DATA_DIR": str(folder / "data"),
        "LINKFERRY_PORT": str(port),
        "LINKFERRY_ALLOWED_ADDRESSES": f"127.0.0.1:{site.port}",
    }
    with (folder / "up.log").open("wb") as log:
        process = subprocess.Popen([LINKFERRY, "up"], env=env, cwd=folder, stderr=log)
    base = f"http://127.0.0.1:{port}"
    try:
        wait_until_it_answers(base)
        yield base, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(20)


def wait_until_it_answers(base: str) -> None:
    """The service is up."""
    deadline = time.monotonic() + START_TIMEOUT
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"{base}/health/live").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    raise SystemExit("linkferry up did not answer")


def warm_up(base: str, site: MediaSite) -> None:
    """One job of another link, so that nothing measured is a first time."""
    asyncio.run(carry(base, [site.url("/media/sample.mp4")]))


def ten(site: MediaSite) -> list[str]:
    """Ten links to ten files."""
    return [site.url(f"/big/2MB.mp4?n={number}") for number in range(10)]


Commands = Callable[[Path, list[str]], None]


def compare(
    what: str,
    base: str,
    folder: Path,
    links: list[str],
    rounds: int,
    aim: float | None,
    commands: Commands | None = None,
) -> bool:
    """Our time over the commands', as the median of the rounds; whether it is as small as we aim for.

    Every round asks with new addresses. The commands run in turn unless `commands` says otherwise.
    """
    commands = commands or in_turn
    ours, theirs = [], []
    for number in range(rounds):
        mark = f"{commands.__name__}-{number}"
        fresh = [f"{link}{'&' if '?' in link else '?'}round={mark}" for link in links]
        ours.append(timed(lambda fresh=fresh: asyncio.run(carry(base, fresh))))
        target = folder / f"cold-{what.strip()}-{number}"
        target.mkdir()
        theirs.append(timed(lambda target=target, fresh=fresh: commands(target, fresh)))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    print(
        f"{what:28} ours {statistics.median(ours):6.2f} s   yt-dlp {statistics.median(theirs):6.2f} s"
        f"   ratio {ratio:5.3f}" + (f"   (aim: at most {aim})" if aim else ""),
        flush=True,
    )
    return aim is None or ratio <= aim


def timed(step: object) -> float:
    """Seconds of wall time."""
    start = time.perf_counter()
    step()  # type: ignore[operator]
    return time.perf_counter() - start


def in_turn(folder: Path, links: list[str]) -> None:
    """The plain command, one a link, one after the other."""
    if any(cold_command(folder, link).wait(120) for link in links):
        raise SystemExit("yt-dlp failed")


def at_once(folder: Path, links: list[str]) -> None:
    """The plain command, one a link, all at the same time."""
    running = [cold_command(folder, link) for link in links]
    if any(process.wait(120) for process in running):
        raise SystemExit("yt-dlp failed")


def cold_command(folder: Path, link: str) -> subprocess.Popen[bytes]:
    """The command, started; what it fetches gets a name of its own in the folder."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    options = ["--quiet", "--no-update", "--ignore-config", "-o", f"{uuid4()}.%(ext)s"]
    return subprocess.Popen([YT_DLP, *options, link], cwd=folder, env=env)


async def carry(base: str, links: list[str]) -> list[dict[str, object]]:
    """Ask for every link at once and wait until every signed link is there."""
    async with httpx.AsyncClient(base_url=base, timeout=60, verify=False) as client:
        return await asyncio.gather(*(carry_one(client, base, link) for link in links))


async def carry_one(client: httpx.AsyncClient, base: str, link: str) -> dict[str, object]:
    """One link, from the request to its signed links."""
    answer = await client.post("/api/requests", json={"text": f"/get {link}"})
    answer.raise_for_status()
    job = answer.json()[0]["job"]
    if job["state"] != "done":
        address = f"{base.replace('http', 'ws', 1)}/api/jobs/{job['job_id']}/events"
        async with connect(address) as events:
            async for event in events:
                job = json.loads(event)
    if job["state"] != "done":
        raise SystemExit(f"{link}: {job['state']} {job['error']}")
    return job


def repeated(base: str, site: MediaSite) -> bool:
    """A link that was carried before: how long, and how many bytes the site is asked for."""
    link = site.url("/big/30MB.mp4?round=in_turn-0")
    before = site.bytes_sent
    seconds = [timed(lambda: asyncio.run(carry(base, [link]))) for _ in range(20)]
    fetched = site.bytes_sent - before
    median = statistics.median(seconds) * 1000
    print(
        f"{'the same link again':28} ours {median:6.1f} ms   {fetched} bytes fetched   (aim: under 100 ms, 0)"
    )
    return median < 100 and fetched == 0


def memory(base: str, site: MediaSite, process: psutil.Process) -> bool:
    """The largest memory of the process tree while it carries 30 MB and 1 GB."""
    small = peak_memory(base, site.url("/big/30MB.mp4?memory"), process)
    large = peak_memory(base, site.url("/big/1GB.mp4?memory"), process)
    print(f"{'memory, 30 MB, 1 GB file':28} {small:6.0f} MB, {large:.0f} MB   (aim: at most {MEMORY_TARGET})")
    return large < MEMORY_TARGET


def peak_memory(base: str, link: str, process: psutil.Process) -> float:
    """MB, sampled while the link is carried."""

    async def sample() -> float:
        job = asyncio.create_task(carry(base, [link]))
        peak = 0.0
        while not job.done():
            peak = max(peak, await asyncio.to_thread(tree_memory, process))
            await asyncio.sleep(0.05)
        await job
        return peak

    return asyncio.run(sample())


def tree_memory(process: psutil.Process) -> float:
    """MB of a process and its descendants, shared pages counted once."""
    total = 0
    for member in [process, *process.children(recursive=True)]:
        try:
            total += member.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue
    return total / 10**6


if __name__ == "__main__":
    sys.exit(main())
