"""`make demo`: carry one real link the whole way on this machine, and check what arrived.

A small media site serves a clip with speech and a caption track; `linkferry up` runs as it does for a
person; `linkferry get` hands it the link. The signed links are then fetched over HTTP and compared with
what the site serves. Everything the demo writes is in `.cache/demo`, fresh each time.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote

from tests.site.speech import SENTENCES

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".cache" / "demo"
LINKFERRY = str(Path(sys.executable).with_name("linkferry"))
START_SECONDS = 120  # the first start of the site makes its clips
GET_SECONDS = 180
SLOW_FILM = "/fault/trickle/media/sample.mp4?rate=250000"  # bytes a second: the bar can be watched
NO_PROXY = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # everything is on this machine
DURATION_TOLERANCE = 0.1  # seconds; a remux may move the end by a frame or two

Json = dict[str, Any]


class DemoError(Exception):
    """What did not hold, in one sentence."""


def main() -> int:
    """Run the demo; the exit code says whether everything held."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    try:
        print(f"Proven: {journey()}")
        print(f"The links ended with the demo; what they brought is in {HOME.relative_to(ROOT)}.")
    except DemoError as error:
        print_log_tails()
        print(f"The demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        print("The demo was stopped.")
        return 130
    return 0


def journey() -> str:
    """Site, service, link, result, comparison. Returns the sentence that says what was proven."""
    site_port, port = free_ports(2)
    site = f"http://127.0.0.1:{site_port}"
    service = f"http://127.0.0.1:{port}"
    link = f"{site}/watch/sample?media={quote(SLOW_FILM)}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LINKFERRY_")}
    environment |= {
        "LINKFERRY_DATA_DIR": str(HOME / "data"),
        "LINKFERRY_ALLOWED_ADDRESSES": f"127.0.0.1:{site_port}",
        "LINKFERRY_PORT": str(port),
        "LINKFERRY_LOG_FORMAT": "text",
    }
    print("Starting a media site and Linkferry; the first time, the site makes its clips ...", flush=True)
    with (
        background("media site", [sys.executable, "-m", "tests.site", "--port", str(site_port)], link),
        background("linkferry up", [LINKFERRY, "up"], f"{service}/health/live", environment),
    ):
        started = time.monotonic()
        job = get(link, environment)
        seconds = time.monotonic() - started
        files = fetch_artifacts(job["artifacts"])
        streams = compare_streams(files["video"][0], f"{site}/media/sample.mp4")
        sentences = compare_sentences(*files["captions"], *files["transcript"])
        expect_refusal(job["artifacts"][0]["url"])
    return (
        f"in {seconds:.1f} s one link became a signed link to the video ({streams}, as on the site) "
        f"and one to its transcript (all {sentences} spoken sentences), and "
        "a link with one letter changed was refused."
    )


def get(link: str, environment: dict[str, str]) -> Json:
    """`linkferry get`: its status line goes straight to the terminal, its JSON comes back."""
    command = [LINKFERRY, "get", link, "--subs", "en", "--json"]
    print(f"$ {shlex.join(['linkferry', *command[1:]])}", flush=True)
    try:
        done = subprocess.run(
            command, env=environment, cwd=HOME, stdout=subprocess.PIPE, timeout=GET_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        fail(f"`linkferry get` was not done after {GET_SECONDS} s.")
    try:
        job: Json = json.loads(done.stdout)
    except ValueError:
        fail(
            f"`linkferry get --json` ended with {done.returncode} and printed no JSON: {done.stdout[:200]!r}."
        )
    if done.returncode or job["state"] != "done":
        fail(f"the job ended as {job['state']}: {(job.get('error') or {}).get('message', 'no reason given')}")
    return job


def fetch_artifacts(artifacts: list[Json]) -> dict[str, list[Path]]:
    """Fetch every signed link, and check each file against the size and the SHA-256 that were promised."""
    print("What its JSON names, fetched through the signed links:")
    files: dict[str, list[Path]] = {}
    for artifact in artifacts:
        kind, url = artifact["kind"], artifact["url"]
        path = HOME / f"{kind}.{artifact['format']}"
        path.write_bytes(fetch(url))
        if path.stat().st_size != artifact["size_bytes"]:
            fail(f"the {kind} has {path.stat().st_size} bytes, not the promised {artifact['size_bytes']}.")
        if hashlib.sha256(path.read_bytes()).hexdigest() != artifact["sha256"]:
            fail(f"the {kind} is not the file whose SHA-256 was promised.")
        print(f"  {kind:10} {artifact['format']:5} {artifact['size_bytes'] / 1000:8.1f} kB  {url}")
        files.setdefault(kind, []).append(path)
    if missing := {"video", "captions", "transcript"} - files.keys():
        fail(f"no {' and no '.join(sorted(missing))} came back.")
    return files


def compare_streams(fetched: Path, original: str) -> str:
    """The same streams, codecs, picture size and duration. Returns them in words."""
    got, wanted = probe(str(fetched)), probe(original)
    if streams_of(got) != streams_of(wanted):
        fail(f"the video has {streams_of(got)}, the original {streams_of(wanted)}.")
    seconds, original_seconds = (float(media["format"]["duration"]) for media in (got, wanted))
    if abs(seconds - original_seconds) > DURATION_TOLERANCE:
        fail(f"the video lasts {seconds:.2f} s, the original {original_seconds:.2f} s.")
    return f"{' + '.join(stream[1] for stream in streams_of(got))}, {seconds:.1f} s"


def streams_of(media: Json) -> list[tuple[str, ...]]:
    """What must not change on the way; video before audio."""
    facts = ("codec_type", "codec_name", "width", "height", "sample_rate", "channels")
    streams = [tuple(str(stream.get(fact, "")) for fact in facts) for stream in media["streams"]]
    return sorted(streams, reverse=True)


def compare_sentences(*texts: Path) -> int:
    """Every sentence spoken in the clip is in each of the texts, in order. Returns how many there are."""
    for path in texts:
        text = " ".join(path.read_text().split())
        position = 0
        for sentence in SENTENCES["en"]:
            position = text.find(sentence, position)
            if position < 0:
                fail(f"{path.name} lacks the spoken sentence {sentence!r}, or has it out of order.")
    return len(SENTENCES["en"])


def expect_refusal(url: str) -> None:
    """A link that was tampered with opens nothing."""
    token = url.index("/f/") + len("/f/")
    forged = url[:token] + ("B" if url[token] == "A" else "A") + url[token + 1 :]
    try:
        with NO_PROXY.open(forged, timeout=10):
            fail("a link with one letter changed was answered.")
    except urllib.error.HTTPError as refusal:
        if refusal.code >= 500:
            fail(f"a link with one letter changed broke the service: {refusal.code}.")


def probe(media: str) -> Json:
    """What ffprobe finds in a file or behind an address."""
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_streams", "-show_format", media]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    if done.returncode:
        fail(f"ffprobe cannot read {media}: {done.stderr.decode().strip()}")
    found: Json = json.loads(done.stdout)
    return found


def fetch(url: str) -> bytes:
    """The body behind an address."""
    try:
        with NO_PROXY.open(url, timeout=60) as response:
            return bytes(response.read())
    except OSError as error:
        fail(f"{url} does not answer: {error}")


@contextmanager
def background(
    name: str, command: list[str], answers: str, environment: dict[str, str] | None = None
) -> Iterator[None]:
    """Run `command` until the block ends; the block starts when the address `answers`.

    Linkferry runs in the demo's folder, so that it does not find a person's own `.env`.
    """
    with log_of(name).open("wb") as log:
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=HOME if environment else ROOT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the demo, which then ends this in its own order
        )
    try:
        wait_until_it_answers(name, process, answers)
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_until_it_answers(name: str, process: subprocess.Popen[bytes], address: str) -> None:
    """Return when `address` answers; fail when the process ends or takes too long."""
    started = time.monotonic()
    while time.monotonic() - started < START_SECONDS:
        if process.poll() is not None:
            fail(f"{name} ended with {process.returncode} before it answered.")
        try:
            with NO_PROXY.open(address, timeout=5):
                print(f"  {name:12} answers after {time.monotonic() - started:.1f} s: {address}", flush=True)
                return
        except OSError:
            time.sleep(0.05)
    fail(f"{name} did not answer within {START_SECONDS} s.")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def log_of(name: str) -> Path:
    """Where a background process writes."""
    return HOME / f"{name.replace(' ', '-')}.log"


def print_log_tails() -> None:
    """The last lines of every log, for whoever has to find out why."""
    for log in sorted(HOME.glob("*.log")):
        lines = log.read_text(errors="replace").splitlines()[-15:]
        print(f"--- the end of {log.relative_to(ROOT)}", *lines, sep="\n")


def fail(sentence: str) -> NoReturn:
    """End the demo with what did not hold."""
    raise DemoError(sentence)


if __name__ == "__main__":
    sys.exit(main())
