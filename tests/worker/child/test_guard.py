"""The guard by itself, in a process of its own: an audit hook cannot be taken out again."""

import json
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.site.server import MediaSite
from tests.worker.child.conftest import Inside

pytestmark = pytest.mark.slow

HEAD = """
    import json, os, socket, subprocess, sys
    from worker.child import guard
    from worker.child.abort import TRIPWIRE, Abort

    def attempt(action, *args, **kwargs):
        TRIPWIRE.reset()
        try:
            action(*args, **kwargs)
        except BaseException as error:
            return type(error).__name__
        return "done"

    guard.install()
"""


def run(code: str, *arguments: str) -> Any:
    """Run code below HEAD; it prints one JSON value."""
    script = textwrap.dedent(HEAD) + textwrap.dedent(code)
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_it_sleeps_until_it_is_activated(inside: Inside) -> None:
    before, after = run(
        """
        with socket.create_server(("127.0.0.1", 0)) as here:
            before = attempt(socket.create_connection, here.getsockname())
            guard.activate(())
            after = attempt(socket.create_connection, here.getsockname())
        print(json.dumps([before, after]))
        """
    )
    assert (before, after) == ("done", "Abort")


def test_every_way_to_send_is_checked(inside: Inside) -> None:
    outcomes = run(
        """
        guard.activate(())
        address = ("127.0.0.1", int(sys.argv[1]))
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        unix = socket.socket(socket.AF_UNIX)
        print(json.dumps([
            attempt(socket.socket().connect, address),
            attempt(socket.socket().connect_ex, address),
            attempt(udp.sendto, b"x", address),
            attempt(udp.sendmsg, [b"x"], [], 0, address),
            attempt(udp.connect, address),
            attempt(unix.connect, "/run/docker.sock"),
            attempt(socket.socket().connect, ("localhost", address[1])),
            attempt(socket.socket().connect, ("", address[1])),
            attempt(socket.socket().bind, ("0.0.0.0", 0)),
        ]))
        """,
        str(inside.port),
    )
    assert set(outcomes) == {"Abort"}


def test_a_name_that_changes_its_answer_is_checked_where_it_leads(inside: Inside) -> None:
    outcome = run(
        """
        from worker.child.budget import Budget
        from worker.child.ydl import Downloader, options
        from yt_dlp.networking import HEADRequest
        from shared.errors import Code

        guard.activate(())
        answers = iter(["93.184.216.34"] + ["127.0.0.1"] * 9)
        real = socket.getaddrinfo
        socket.getaddrinfo = lambda host, *rest, **more: real(next(answers), *rest, **more)
        first = socket.getaddrinfo("rebind.example", 80)[0][4][0]
        ydl = Downloader(options(None), Budget(10**9, lambda count: None))
        outcome = attempt(ydl.urlopen, f"http://rebind.example:{sys.argv[1]}/a.mp4")
        print(json.dumps([first, outcome, TRIPWIRE.first and TRIPWIRE.first.detail]))
        """,
        str(inside.port),
    )
    assert outcome[:2] == ["93.184.216.34", "Abort"]
    assert "127.0.0.1" in outcome[2]


CURL = """
    from worker.child.budget import Budget
    from worker.child.ydl import Downloader, options
    from yt_dlp.networking import Request
    from yt_dlp.networking.impersonate import ImpersonateTarget

    site, inside = sys.argv[1:]
    guard.activate((f"127.0.0.1:{site}",))
    ydl = Downloader(options(None), Budget(10**9, lambda count: None))

    def fetch(url):
        return ydl.urlopen(Request(url, extensions={"impersonate": ImpersonateTarget()})).read()
"""


def test_curl_goes_through_the_proxy_and_no_further(site: MediaSite, inside: Inside) -> None:
    size, *outcomes = run(
        textwrap.dedent(CURL)
        + textwrap.dedent(
            """
            there = f"http://127.0.0.1:{inside}/a.mp4"
            base = f"http://127.0.0.1:{site}"
            print(json.dumps([
                len(fetch(f"{base}/media/sample.mp4")),
                attempt(fetch, there),
                attempt(fetch, there.replace("http:", "https:")),
                attempt(fetch, f"http://0x7f.1:{inside}/a.mp4"),
                attempt(fetch, f"{base}/redirect?to={there}"),
                attempt(fetch, f"{base}/redirect?to={there.replace('http:', 'https:')}"),
                attempt(fetch, "http://169.254.169.254/latest/meta-data/"),
            ]))
            """
        ),
        str(site.port),
        str(inside.port),
    )
    assert size == (site.root / "media" / "sample.mp4").stat().st_size
    assert set(outcomes) == {"Abort"}


class Keeping(BaseHTTPRequestHandler):
    """Sends whoever comes to another address, and keeps the connection for what is wanted there."""

    protocol_version = "HTTP/1.1"
    asked_for: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        host, _, port = self.headers["Host"].partition(":")
        self.asked_for.append(host)
        self.close_connection = False
        self.send_response(302 if self.path == "/" else 200)
        self.send_header("Location", f"http://127.0.0.2:{port}/private")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""


def test_curl_asks_no_host_for_what_it_wants_of_another() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Keeping) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            port = str(server.server_port)
            code = f"print(json.dumps(attempt(fetch, 'http://127.0.0.1:{port}/')))"
            assert run(textwrap.dedent(CURL) + code, port, port) == "Abort"
        finally:
            server.shutdown()
            thread.join()
    assert Keeping.asked_for == ["127.0.0.1"]


def test_curl_reaches_no_ipv6_loopback_either(site: MediaSite, inside: Inside) -> None:
    outcome = run(
        textwrap.dedent(CURL) + "print(json.dumps(attempt(fetch, f'http://[::1]:{inside}/a.mp4')))",
        str(site.port),
        str(inside.port),
    )
    assert outcome in ("Abort", "TransportError")  # some builds of libcurl fail by themselves


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_curl_is_not_redirected_to_other_schemes(site: MediaSite, inside: Inside, scheme: str) -> None:
    outcome = run(
        textwrap.dedent(CURL)
        + f"print(json.dumps(attempt(fetch, f'http://127.0.0.1:{{site}}/redirect?to={scheme}')))",
        str(site.port),
        str(inside.port),
    )
    assert outcome != "done"


def test_only_known_programs_start(inside: Inside) -> None:
    outcomes = run(
        """
        guard.activate(())
        url = f"http://127.0.0.1:{sys.argv[1]}/a.m3u8"
        print(json.dumps([
            attempt(subprocess.run, ["ffmpeg", "-i", url, "-f", "null", "-"]),
            attempt(subprocess.run, ["curl", url]),
            attempt(subprocess.run, f"curl {url}", shell=True),
            attempt(subprocess.run, ["deno", "run", "--allow-net", "-"]),
            attempt(subprocess.run, ["deno", "run", "-A", "-"]),
            attempt(os.system, f"curl {url}"),
            attempt(os.posix_spawn, "/bin/true", ["true"], {}),
            attempt(os.execv, "/bin/true", ["true"]),
            attempt(os.fork),
        ]))
        """,
        str(inside.port),
    )
    assert set(outcomes) == {"PermissionError"}


def test_deno_runs_a_script_within_a_childs_memory_and_gets_no_network(inside: Inside) -> None:
    answer, network = run(
        """
        from worker.child import bounds
        from yt_dlp.utils._jsruntime import DenoJsRuntime
        from yt_dlp.extractor.youtube.jsc._builtin.deno import DenoJCP
        guard.activate(())
        bounds.limit_memory()
        command = [DenoJsRuntime().info.path, "run", *DenoJCP._DENO_BASE_OPTIONS, "--cached-only", "-"]
        def deno(script):
            done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=50)
            return done.stdout + done.stderr
        print(json.dumps([
            deno("console.log(6 * 7)"),
            deno(f"await fetch('http://127.0.0.1:{sys.argv[1]}/')"),
        ]))
        """,
        str(inside.port),
    )
    assert answer.strip() == "42"
    assert "Requires net access" in network
