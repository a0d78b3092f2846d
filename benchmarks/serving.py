"""Signed downloads beside nginx: the same 512 MB file, one connection, loopback, the same client.

    .venv/bin/python -m benchmarks.serving

The client reads the raw socket into one buffer, so that neither curl nor an HTTP library is what is measured.
Rounds alternate between the two servers, because a shared machine is not equally fast all the time.
"""

import argparse
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from tests.services import free_port

SIZE = 512 * 1024 * 1024
TARGET = 0.7
KEY = "bench/film.mp4"
SECRET = "benchmark-key-0123456789"

NGINX_CONF = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log; {user}
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; tcp_nopush on; default_type video/mp4;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def main() -> int:
    """Measure and print both medians and their ratio; 0 when the ratio is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    if shutil.which("nginx", path=_SBIN) is None:
        print("This needs nginx to compare with: apt-get install nginx-light")
        return 2
    with tempfile.TemporaryDirectory(prefix="linkferry-serving-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        _write_film(folder / "files" / KEY)
        with _nginx(folder) as nginx_url, _linkferry(folder) as our_url:
            speeds = _measure({"nginx": nginx_url, "linkferry": our_url}, rounds)
    medians = {who: statistics.median(values) for who, values in speeds.items()}
    for who, values in speeds.items():
        print(f"{who:10} {medians[who]:6.0f} MB/s  (from {min(values):.0f} to {max(values):.0f})")
    ratio = medians["linkferry"] / medians["nginx"]
    print(f"ratio      {ratio:6.2f}       (at least {TARGET})")
    return 0 if ratio >= TARGET else 1


_SBIN = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def _measure(urls: dict[str, str], rounds: int) -> dict[str, list[float]]:
    buffer = bytearray(1024 * 1024)
    for url in urls.values():
        _download(url, buffer)  # warm: page cache, connections, code paths
    speeds: dict[str, list[float]] = {who: [] for who in urls}
    for _ in range(rounds):
        for who, url in urls.items():
            started = time.perf_counter()
            _download(url, buffer)
            speeds[who].append(SIZE / (time.perf_counter() - started) / 1e6)
    return speeds


def _download(url: str, buffer: bytearray) -> None:
    """Fetch the whole file over a new connection; fails unless every byte of it came."""
    parts = urlsplit(url)
    assert parts.hostname and parts.port
    with socket.create_connection((parts.hostname, parts.port)) as connection:
        head = f"GET {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        received = connection.recv_into(buffer)
        header_end = buffer.index(b"\r\n\r\n") + 4
        assert buffer.startswith(b"HTTP/1.1 200"), bytes(buffer[:header_end])
        received -= header_end
        while count := connection.recv_into(buffer):
            received += count
    assert received == SIZE, f"{url} sent {received} bytes"


def _write_film(path: Path) -> None:
    path.parent.mkdir(parents=True)
    block = os.urandom(1024 * 1024)
    with path.open("wb") as file:
        for _ in range(SIZE // len(block)):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())  # no writing back while we measure


@contextmanager
def _nginx(folder: Path) -> Iterator[str]:
    port = free_port()
    conf = folder / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    conf.write_text(NGINX_CONF.format(folder=folder, root=folder / "files", port=port, user=user))
    nginx = shutil.which("nginx", path=_SBIN)
    assert nginx
    with _server([nginx, "-c", str(conf), "-e", str(folder / "error.log")], port):
        yield f"http://127.0.0.1:{port}/{KEY}"


@contextmanager
def _linkferry(folder: Path) -> Iterator[str]:
    from shared.links import Links

    port, artifact_id = free_port(), uuid4()
    command = [sys.executable, "-m", "benchmarks.serving", "serve", str(folder / "files"), str(port)]
    with _server(command, port):
        yield Links([SECRET]).url(f"http://127.0.0.1:{port}", artifact_id, "film.mp4", 3600)


@contextmanager
def _server(command: list[str], port: int) -> Iterator[None]:
    with subprocess.Popen(command) as process:
        try:
            _wait_for(port, process)
            yield
        finally:
            process.terminate()


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"the server did not start: {process.args!r}")


def serve(root: Path, port: int) -> None:
    """Our side of the comparison: the files route alone, under uvicorn as `linkferry web` runs it."""
    import uvicorn
    from fastapi import FastAPI

    from bots.web.files import ServedFile, files_router
    from shared.links import Links
    from shared.storage import LocalStorage

    film = ServedFile(KEY, "film.mp4", "video/mp4", sha256="0" * 64, size=SIZE)

    async def find_artifact(_: UUID) -> ServedFile:
        return film

    app = FastAPI()
    app.include_router(files_router(Links([SECRET]), LocalStorage(root), find_artifact))
    uvicorn.run(app, host="127.0.0.1", port=port, loop="uvloop", http="httptools", log_level="warning")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
