"""Ctrl-C and SIGTERM: the first asks, the second insists; nothing is left behind."""

import os
import pty
import re
import signal
import sqlite3
import subprocess
import time

import pytest
from typer.testing import CliRunner

from linkferry import cli
from tests.linkferry.conftest import COMMAND, Home, children, ended, finish
from tests.site.server import MediaSite
from tests.waiting import until

SLOW = "/fault/trickle/media/sample.mp4?rate=20000"
SLOW_PATH = "/fault/trickle/media/sample.mp4"

pytestmark = pytest.mark.slow


def states(home: Home) -> list[str]:
    database = sqlite3.connect(home.data / "linkferry.db")
    found = [str(state) for (state,) in database.execute("SELECT state FROM jobs")]
    database.close()
    return found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_get_cancels_its_job_and_says_one_word(home: Home, site: MediaSite, number: signal.Signals) -> None:
    process = home.start("get", site.url(SLOW), "--json")
    until(lambda: site.hits(SLOW_PATH) >= 2)
    family = children(process)
    process.send_signal(number)
    done = finish(process)
    assert (done.code, done.json["state"], done.json["error"]["code"]) == (130, "cancelled", "cancelled")
    assert done.err.splitlines()[-1] == "Cancelled."
    assert states(home) == ["cancelled"]
    until(lambda: ended(family))


def test_ctrl_c_says_the_word_also_before_a_command_has_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "load_settings", interrupt)
    early = CliRunner().invoke(cli.app, ["jobs", "list"])
    assert (early.exit_code, early.stderr) == (130, "Cancelled.\n")


def test_who_reads_no_further_than_the_head_is_told_nothing(home: Home) -> None:
    process = home.start("jobs", "list")
    assert process.stdout
    process.stdout.close()
    assert process.stderr
    assert (process.wait(60), process.stderr.read()) == (141, "")


def test_the_second_ctrl_c_leaves_at_once_and_takes_the_children_along(home: Home, site: MediaSite) -> None:
    process = home.start("get", site.url(SLOW))
    until(lambda: site.hits(SLOW_PATH) >= 2)
    family = children(process)
    process.send_signal(signal.SIGINT)
    time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    until(lambda: ended(family))


def test_get_cancels_the_job_that_a_service_carries(home: Home, site: MediaSite) -> None:
    home.service("up")
    process = home.start("get", site.url(SLOW))
    until(lambda: site.hits(SLOW_PATH) >= 2)
    process.send_signal(signal.SIGINT)
    assert finish(process).code == 130
    until(lambda: states(home) == ["cancelled"])


@pytest.mark.parametrize(("command", "number"), [("up", signal.SIGINT), ("web", signal.SIGTERM)])
def test_a_service_ends_well(home: Home, command: str, number: signal.Signals) -> None:
    process = home.service(command, LOG_FORMAT="text")
    family = children(process)
    process.send_signal(number)
    done = finish(process)
    assert done.code == 0 and "next: linkferry get LINK" in done.err and "stopped" in done.err
    until(lambda: ended(family))


def test_a_service_that_carries_a_job_hands_it_back_or_leaves_at_the_second_signal(
    home: Home, site: MediaSite
) -> None:
    service = home.service("up")
    following = home.start("get", site.url(SLOW))
    until(lambda: site.hits(SLOW_PATH) >= 2)
    family = children(service)
    following.kill()
    service.send_signal(signal.SIGTERM)
    service.send_signal(signal.SIGINT)
    assert service.wait(90) in (0, 130, 143)
    until(lambda: ended(family))
    assert states(home)[0] in ("queued", "running"), "the next start goes on with it"


def test_in_a_terminal_one_line_is_edited_in_place_and_ctrl_c_gives_the_cursor_back(
    home: Home, site: MediaSite
) -> None:
    master, slave = pty.openpty()
    subprocess.run(["stty", "cols", "72", "rows", "20"], stdin=slave, check=True)
    environment = home.environment | {"TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)  # the runner's own terminal; a person's shell does not export it
    process = subprocess.Popen(
        [*COMMAND, "get", site.url("/fault/trickle/media/sample.mp4?rate=120000")],
        cwd=home.folder, env=environment,
        stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
    )  # fmt: skip
    os.close(slave)
    shown = read_until(master, rb"kB/s.*left")
    if "╌".encode() not in shown:
        shown += read_until(master, "╌".encode())
    process.send_signal(signal.SIGINT)
    shown += read_until(master, rb"Cancelled\.\r\n")
    assert process.wait(90) == 130
    os.close(master)
    text = shown.decode()
    assert text.count("\n") <= 3, "one line, not one a second"
    assert "Downloading" in text and "%" in text and "╌" in text
    assert text.rindex("\x1b[?25h") > text.rindex("\x1b[?25l"), "the cursor is shown again"
    for line in re.split(r"\r|\n", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)):
        assert len(line) <= 72, "it never wraps"


def read_until(descriptor: int, pattern: bytes) -> bytes:
    seen = b""
    end = time.monotonic() + 90
    while not re.search(pattern, seen):
        assert time.monotonic() < end, seen
        seen += os.read(descriptor, 4096)
    return seen
