"""`linkferry get`: one link, from the words of the person to the exit code."""

import asyncio
import hashlib
import json
import signal
import sqlite3
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bots.intake import Intake, Submitted
from linkferry import carry
from linkferry.carry import Asked, read
from linkferry.cli import SUBS
from shared.errors import Code, CommandError, JobError
from shared.options import Clip, MediaFormat, Quality
from shared.results import ErrorView, JobView
from shared.settings import Settings
from shared.worker_lock import worker_lock
from tests.linkferry.conftest import Home, finish
from tests.site.server import MediaSite
from tests.waiting import until

FIELDS = {"kind", "format", "language", "source", "size_bytes", "sha256", "url"}


def asked(link: str, clip: str | None = None, subs: str | None = None) -> Asked:
    return Asked(link, Quality.P720, MediaFormat.MKV, clip, subs, None, as_json=False)


def rows(home: Home, query: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(home.data / "linkferry.db") as database:
        found = database.execute(query).fetchall()
    database.close()
    return found


def test_the_options_mean_what_they_mean_in_a_chat() -> None:
    command = read(asked(" https://a.example/x ", clip="1:20-2:05", subs="en,de"))
    assert command.link.url == "https://a.example/x"
    assert (command.options.quality, command.options.format) == (Quality.P720, MediaFormat.MKV)
    assert command.options.clip == Clip(start=80, end=125)
    assert command.options.languages == ("en", "de")


@pytest.mark.parametrize(
    ("subs", "options"),
    [
        ("en to spanish", {"languages": ("en",), "translate_to": "es"}),
        ("speech", {"languages": ("orig",), "speech": True}),
    ],
)
def test_what_the_help_says_of_subs_is_so(subs: str, options: dict[str, object]) -> None:
    assert subs in SUBS
    chosen = read(asked("https://a.example/x", subs=subs)).options.model_dump()
    assert chosen | options == chosen


@pytest.mark.parametrize(
    "link",
    ["", " ", "hello", "javascript:alert(1)", "file:///etc/passwd", "--exec=rm", "\x1b[2J", "😀", "\udcff",
     "\u202eexe.mp4", "https://a.example/\u202egp4.exe", "https://", "https://a.example/" + "x" * 100_000,
     "x" * 10_000_000, "https://user:secret@a.example/"],
)  # fmt: skip
def test_what_is_no_link_is_refused_in_words_that_do_not_repeat_it(link: str) -> None:
    with pytest.raises(JobError) as refused:
        read(asked(link))
    assert refused.value.code is Code.INVALID_LINK
    assert len(refused.value.message) < 250 and "secret" not in refused.value.message


@pytest.mark.parametrize("link", ["https://a.example https://b.example", "https://a.example/ 720p"])
def test_more_than_a_link_is_refused(link: str) -> None:
    with pytest.raises(CommandError, match="exactly one link"):
        read(asked(link))


@pytest.mark.slow
def test_json_then_the_same_link_again_from_what_is_stored(
    home: Home, site: MediaSite, tmp_path: Path
) -> None:
    folder = tmp_path / "films"
    link = site.url(
        "/watch/sample?title=..%2F..%2Fetc%2Fpasswd%00%0A%1b]0;x%07%22%E2%80%AE" + "%F0%9F%98%80" * 90
    )
    done = home.run("get", link, "--subs", "en", "--json", "--output", str(folder))
    assert (done.code, done.json["state"], done.json["error"]) == (0, "done", None)
    assert 11 < done.json["duration_seconds"] < 13
    assert {artifact["kind"] for artifact in done.json["artifacts"]} >= {"video", "captions", "transcript"}
    assert all(artifact.keys() >= FIELDS for artifact in done.json["artifacts"])
    assert done.err.splitlines()[0] == "Queued" and "Looking at the link" in done.err
    assert "answer while 'linkferry up' or 'linkferry web' runs" in done.err and "\x1b" not in done.err

    saved = {hashlib.sha256(file.read_bytes()).hexdigest(): file for file in folder.iterdir()}
    assert saved.keys() == {artifact["sha256"] for artifact in done.json["artifacts"]}
    assert {path.name for path in tmp_path.iterdir()} == {"data", "films"}, "nothing anywhere else"

    video = next(file for file in saved.values() if file.suffix == ".mp4")
    video.write_bytes(b"mine")  # in place: what is stored is not touched by that
    before = site.bytes_sent
    again = home.run("get", link, "--subs", "en", "--output", str(folder))
    assert again.code == 0 and site.bytes_sent == before
    assert all("\x1b" not in text and "\u202e" not in text for text in (again.out, again.err))
    urls = [line.strip() for line in again.out.splitlines() if "/f/" in line]
    assert len(urls) == len(saved) and all(url.startswith(f"http://localhost:{home.port}/f/") for url in urls)
    assert video.read_bytes() == b"mine"
    now = {hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir() if file != video}
    assert now == saved.keys(), "the film got a neighbour as it was stored, the others were there"


async def test_cancelled_while_it_is_handed_in_nobody_carries_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    submit, handing_in, goes_on = Intake.submit, asyncio.Event(), asyncio.Event()

    async def slowly(*words: Any) -> Submitted:
        handing_in.set()
        await goes_on.wait()
        return await submit(*words)

    monkeypatch.setattr(Intake, "submit", slowly)
    settings = Settings(_env_file=None, data_dir=tmp_path)
    getting = asyncio.create_task(carry.get(settings, replace(asked("https://a.example/x"), as_json=True)))
    async with asyncio.timeout(60):
        await handing_in.wait()
        getting.cancel()
        goes_on.set()
        assert await getting == carry.CANCELLED
    told = json.loads(capfdbinary.readouterr().out)
    assert (told["state"], told["error"]["code"]) == ("cancelled", "cancelled")
    with sqlite3.connect(tmp_path / "linkferry.db") as database:
        assert database.execute("SELECT state FROM jobs").fetchall() == [("cancelled",)]
    database.close()


def test_a_refused_link_is_json_too(home: Home) -> None:
    done = home.run("get", "https://user:secret@a.example/x", "--json")
    assert done.code == 1 and "secret" not in done.out + done.err
    assert done.json["error"]["code"] == "invalid_link" and "password" in done.json["error"]["message"]
    assert done.json.keys() == JobView.model_fields.keys() - carry.ON_THE_WAY
    assert done.json["error"].keys() == ErrorView.model_fields.keys()
    refused = home.run("get", "javascript:alert(1)")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)


@pytest.mark.parametrize("words", [{"subs": "xx"}, {"clip": "foo"}])
async def test_words_that_are_not_understood_have_a_code_of_their_own(
    words: dict[str, str], tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    wrong = replace(asked("https://a.example/x", **words), as_json=True)
    assert await carry.get(Settings(_env_file=None, data_dir=tmp_path), wrong) == carry.FAILED
    error = json.loads(capfdbinary.readouterr().out)["error"]
    assert (error["code"], error["is_passing"]) == (carry.NOT_UNDERSTOOD, False)
    assert next(iter(words.values())) in error["message"]


@pytest.mark.slow
def test_a_failed_job_is_one_sentence_and_exit_1(home: Home, site: MediaSite) -> None:
    done = home.run("get", site.url("/fault/status/404/x.mp4"), "--json")
    assert (done.code, done.json["state"]) == (1, "failed")
    assert done.json["error"]["message"].startswith("The site says there is nothing")
    large = home.run("get", site.url("/big/30MB.mp4?n=1"), MAX_FILE_SIZE_GB="0.004")
    assert (large.code, large.out) == (1, "")
    assert large.err.splitlines()[-1].startswith(
        "This file has about 0.03 GB, and I may fetch 0.004 GB at most."
    )


def test_a_folder_that_cannot_be_written_is_said_before_anything_is_fetched(
    home: Home, site: MediaSite
) -> None:
    (home.folder / "file").touch()
    done = home.run("get", site.url("/watch/sample"), "--output", str(home.folder / "file"))
    assert (done.code, done.out) == (2, "") and "I cannot put files into" in done.err
    assert site.bytes_sent == 0


@pytest.mark.slow
def test_two_at_once_without_a_service_share_one_download(home: Home, site: MediaSite) -> None:
    link = site.url("/fault/trickle/media/sample.mp4?rate=600000")
    first = home.start("get", link, "--json")
    until(lambda: site.hits("/fault/trickle/media/sample.mp4") >= 1)
    second = home.start("get", link, "--json")
    both = finish(first), finish(second)
    assert [done.code for done in both] == [0, 0]
    assert both[0].json["job_id"] == both[1].json["job_id"]
    assert rows(home, "SELECT count(*) FROM jobs") == [(1,)]


@pytest.mark.slow
def test_a_service_carries_it_and_when_it_starts_anew_it_goes_on(home: Home, site: MediaSite) -> None:
    service = home.service("up")
    quick = home.run("get", site.url("/watch/sample"), "--json")
    assert quick.code == 0 and "neither does now" not in quick.err

    link = site.url("/fault/trickle/media/slowstart.mp4?rate=350000")
    following = home.start("get", link, "--json", ALLOWED_ADDRESSES="")  # by itself it could not fetch this
    until(lambda: rows(home, "SELECT state FROM jobs WHERE state = 'running'"))
    service.terminate()
    stopped = finish(service)
    assert stopped.code == 0, stopped.err
    wait_for_line(following, "The service has stopped")
    home.service("up")
    done = finish(following)
    assert (done.code, done.json["state"]) == (0, "done")
    lines = [json.loads(line) for line in stopped.err.splitlines()]  # when no terminal reads it
    assert {"job_id", "attempt"} <= {name for line in lines for name in line}


def wait_for_line(process: subprocess.Popen[str], words: str) -> None:
    """Read on stderr until these words come."""
    assert process.stderr
    while words not in (line := process.stderr.readline()):
        assert line, "it ended"


@pytest.mark.slow
async def test_from_a_service_that_stays_away_the_command_takes_over(
    home: Home, site: MediaSite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(carry, "COMES_BACK", 1.0)
    allowed = home.environment["LINKFERRY_ALLOWED_ADDRESSES"]
    settings = Settings(_env_file=None, data_dir=home.data, allowed_addresses=allowed)  # type: ignore[arg-type]
    said = ""
    with worker_lock(home.data, "linkferry up"):
        getting = asyncio.create_task(carry.get(settings, asked(site.url("/media/sample.mp4"))))
        async with asyncio.timeout(60):
            while "Queued" not in said:
                await asyncio.sleep(0.01)
                said += capsys.readouterr().err
    assert await getting == 0
    assert "The service has stopped" in capsys.readouterr().err


@pytest.mark.slow
def test_up_waits_for_a_command_that_carries_its_link_itself(home: Home, site: MediaSite) -> None:
    # It never arrives, however long `up` takes to start.
    carrying = home.start("get", site.url("/fault/stall/media/sample.mp4"))
    until(lambda: site.hits("/fault/stall/media/sample.mp4") >= 1)
    service = home.start("up")
    wait_for_line(service, f"linkferry get (process {carrying.pid}) carries a job")
    assert not home.answers()
    carrying.send_signal(signal.SIGINT)
    assert finish(carrying).code == carry.CANCELLED
    until(home.answers)


def test_help_names_the_options(home: Home) -> None:
    done = home.run("get", "--help")
    assert done.code == 0
    assert all(option in done.out for option in ("--quality", "--format", "--clip", "--subs", "--output"))


def test_help_waits_for_nothing_heavy(home: Home) -> None:
    home.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    imported = {line.rpartition("|")[2].strip() for line in home.run("--help").err.splitlines()}
    assert "linkferry.cli" in imported
    assert not imported & {"sqlalchemy", "fastapi", "uvicorn", "alembic", "yt_dlp", "worker.service"}
