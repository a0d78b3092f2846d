"""`linkferry health`, and the port on which every process answers whoever watches over it."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from linkferry import alive
from shared.settings import PREFIX, Settings
from tests.linkferry.conftest import Home, finish
from tests.numbers import numbers
from tests.services import free_port
from tests.waiting import until

HEAVY = {"pydantic", "typer", "rich", "fastapi", "sqlalchemy", "asyncio", "shared", "bots", "worker"}


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variables and no `.env` of whoever runs the tests."""
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("role", ["up", "web", "worker", "bots"])
def test_every_process_answers_on_the_port_for_monitoring(home: Home, role: str) -> None:
    port = free_port()
    process = home.start(role, METRICS_PORT=str(port))

    def is_ready() -> bool:
        assert process.poll() is None, process.communicate()
        return bool(home.run("health", "--ready", METRICS_PORT=str(port)).code == 0)

    until(is_ready)
    lives = home.run("health", METRICS_PORT=str(port))
    assert (lives.code, lives.out, lives.err) == (0, "ok\n", "")
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30) as api:
        assert api.get("/health").json()["checks"]["database"]["ok"]
        assert numbers(api.get("/metrics").text)['linkferry_jobs{state="queued"}'] == 0
    process.terminate()
    assert finish(process).code == 0
    dead = home.run("health", METRICS_PORT=str(port))
    assert (dead.code, dead.out) == (
        1,
        f"failing: nothing answers on 127.0.0.1 port {port} (ConnectionRefusedError)\n",
    )


@pytest.mark.slow
def test_a_process_that_waits_for_its_broker_lives_but_is_not_ready(home: Home) -> None:
    port = str(free_port())
    process = home.start("worker", METRICS_PORT=port, QUEUE_URL=f"amqp://x:y@127.0.0.1:{free_port()}/")
    until(lambda: home.run("health", METRICS_PORT=port).code == 0)
    ready = home.run("health", "--ready", METRICS_PORT=port)
    assert (ready.code, ready.out) == (1, "starting\n")
    process.terminate()
    assert finish(process).code == 0


@pytest.mark.slow
def test_a_metrics_port_in_use_is_a_sentence(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = home.run("bots", METRICS_PORT=str(port))
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert f"127.0.0.1:{port}" in done.err and "LINKFERRY_METRICS_PORT" in done.err


class Answer(BaseHTTPRequestHandler):
    """Says how it is."""

    status, body = 200, b'{"status": "ok"}'

    def do_GET(self) -> None:
        """Whatever was asked."""
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def answering(host: str, status: int = 200, body: bytes = b'{"status": "ok"}') -> Iterator[int]:
    """A server that says so on every address of the host; yields its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    server_class = type("Server", (ThreadingHTTPServer,), {"address_family": family})
    handler = type("Handler", (Answer,), {"status": status, "body": body})
    with server_class((host, 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_address[1]
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::", "::1", ""])
def test_it_finds_a_process_that_listens_to_everybody(
    place: Path, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    with answering(host) as port:
        monkeypatch.setenv("LINKFERRY_HOST", host)
        monkeypatch.setenv("LINKFERRY_PORT", str(port))
        assert alive.ask(ready=False) == (True, "ok")


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, b'{"status": "warning", "checks": {"disk": {"ok": false, "reason": "low"}}}',
         "warning; disk: low"),
        (503, b'{"status": "failing", "checks": {"a": {"ok": true}, "b": {"ok": false, "reason": "away"}}}',
         "failing; b: away"),
        (200, b"[]", "failing: the answer was 200, and not Linkferry's"),
        (200, b"<html>", "failing: the answer was 200, and not Linkferry's"),
    ],
)  # fmt: skip
def test_it_says_in_one_line_what_is_wrong(
    place: Path, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, told: str
) -> None:
    with answering("127.0.0.1", status, body) as port:
        monkeypatch.setenv("LINKFERRY_METRICS_PORT", str(port))
        assert alive.ask(ready=True) == (status == 200, told)


@pytest.mark.parametrize(
    ("variables", "env_file"),
    [
        ({}, ""),
        ({"LINKFERRY_METRICS_PORT": "9464", "LINKFERRY_HOST": "::1"}, ""),
        ({"linkferry_metrics_port": "9465"}, "LINKFERRY_METRICS_PORT=1\n"),
        ({"LINKFERRY_METRICS_PORT_FILE": "port"}, "LINKFERRY_METRICS_PORT=1\n"),
        ({"LINKFERRY_METRICS_PORT_FILE": "port", "LINKFERRY_METRICS_PORT": "9467"}, ""),
        ({"LINKFERRY_PORT": "9468"}, "LINKFERRY_METRICS_PORT=0\nexport linkferry_host='127.0.0.2' # mine\n"),
    ],
)
def test_it_reads_the_settings_as_the_process_does(
    place: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], env_file: str
) -> None:
    (place / "port").write_text("9466\n")
    if env_file:
        (place / ".env").write_text(env_file)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    assert alive.address() == (settings.host, settings.metrics_port or settings.port)


def test_it_loads_nothing_heavy(place: Path) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "linkferry", "health"]
    port = {"LINKFERRY_METRICS_PORT": str(free_port())}
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | port, timeout=60)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()}
    assert "http" in loaded and not loaded & HEAVY
    assert done.returncode == 1 and done.stdout.count("\n") == 1
