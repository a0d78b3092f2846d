"""What a person sees in a terminal, and where the files land."""

import hashlib
import io
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from rich.console import Console

from bots.terminal import (
    plain,
    print_result,
    save_files,
    say,
    show_progress,
    status_line,
)
from shared.errors import Code
from shared.models import Artifact, ArtifactKind, JobState, Stage
from shared.results import ArtifactView, JobView, error_view
from shared.storage import LocalStorage

JOB = JobView(
    job_id=UUID(int=1), state=JobState.RUNNING, stage=Stage.DOWNLOAD, progress=None, position=None,
    starts_in=None, retry_in=None, title=None, duration_seconds=None, note=None, artifacts=(),
    offers=None, error=None,
)  # fmt: skip
CAPTIONS = ArtifactView(
    id=UUID(int=2), kind=ArtifactKind.CAPTIONS, format="srt", language="en", source="manual", height=None,
    duration_seconds=None, file_name="f.srt", size_bytes=314, sha256="0" * 64,
    url="https://h.example/" + "x" * 200, download_url=None, expires_at=None,
)  # fmt: skip
FULL = {"done": 412_300_000, "total": 1_520_000_000, "speed": 10_400_000, "eta": 3725}


def job(**changes: Any) -> JobView:
    return JOB.model_copy(update=changes)


@pytest.mark.parametrize(
    ("view", "line"),
    [
        (job(state=JobState.QUEUED), "Queued"),
        (job(state=JobState.QUEUED, position=3), "Queued (number 3)"),
        (job(state=JobState.QUEUED, position=3, obstacle="No room."), "Queued. No room."),
        (job(state=JobState.QUEUED, retry_in=4.6, error=error_view(Code.NETWORK, "No.")),
         "Trying again in 5 s. No."),
        (job(stage=None), "Starting"),
        (job(stage=Stage.PROBE), "Looking at the link"),
        (job(progress={"done": 1_500_000}), "Downloading          1.5 MB"),
        (job(stage=Stage.CONVERT, progress={"fraction": 0.5}),
         "Converting           " + "━" * 12 + "╌" * 12 + "  50%"),
        (job(progress={"done": 9, "total": 3}), "Downloading          " + "━" * 24 + " 100%  9 B of 3 B"),
        (job(progress=FULL), "Downloading          " + "━" * 7 + "╌" * 17
         + "  27%  412 MB of 1.5 GB  10.4 MB/s  1:02:05 left"),
        (job(state=JobState.DONE), "Done"),
    ],
)  # fmt: skip
def test_status_line(view: JobView, line: str) -> None:
    assert status_line(view) == line


@pytest.mark.parametrize("width", range(50, 130, 5))
def test_the_bar_gives_way_to_the_facts(width: int) -> None:
    line = status_line(job(progress=FULL), width=width, unicode=False)
    assert line.endswith("27%  412 MB of 1.5 GB  10.4 MB/s  1:02:05 left")
    assert len(line) <= max(width, 70)
    assert line.isascii()


def test_what_strangers_write_commands_no_terminal() -> None:
    assert plain("a\x1b[2Jb\u202ec\nd\x9b\udcff") == "a [2Jb c d  "
    assert plain("👩\u200d🚀 سلام") == "👩\u200d🚀 سلام"


async def views(*all_of_them: JobView) -> AsyncIterator[JobView]:
    for view in all_of_them:
        yield view


async def test_without_a_terminal_each_stage_is_one_line_even_when_an_older_row_is_read_in_between() -> None:
    out = io.StringIO()
    waiting = job(state=JobState.QUEUED, retry_in=5.0, error=error_view(Code.NETWORK, "No net."))
    last = await show_progress(
        views(
            job(state=JobState.QUEUED, position=2), job(state=JobState.QUEUED, position=1),
            job(stage=Stage.PROBE), job(), job(stage=Stage.PROBE), job(progress=FULL),
            waiting, waiting.model_copy(update={"retry_in": 4.0}),
            job(stage=Stage.PROBE), job(state=JobState.DONE),
        ),
        Console(file=out, width=20),
    )  # fmt: skip
    assert last is not None and last.state is JobState.DONE
    assert out.getvalue().splitlines() == [
        "Queued", "Looking at the link", "Downloading", "Trying again soon. No net.", "Looking at the link",
    ]  # fmt: skip


def test_nothing_is_broken_into_lines_where_no_terminal_is() -> None:
    out = io.StringIO()
    say(Console(file=out, width=20), "word " * 40)
    assert out.getvalue().count("\n") == 1


def test_the_result_names_what_was_delivered_and_keeps_links_whole() -> None:
    out = io.StringIO()
    done = job(
        state=JobState.DONE,
        title="A\x1b[31m film",
        duration_seconds=80.0,
        note="First of 3.",
        artifacts=(CAPTIONS,),
    )
    print_result(done, Console(file=out, width=40, force_terminal=True, no_color=True, highlight=False))
    assert "captions · srt · en, manual · 314 B" in out.getvalue() and "A [31m film (1:20)" in out.getvalue()
    assert CAPTIONS.url is not None and CAPTIONS.url in out.getvalue()


@pytest.mark.parametrize(("seconds", "words"), [(45.02, " · 0:45"), (80.4, ""), (None, "")])
def test_a_clip_is_told_by_its_own_length(seconds: float | None, words: str) -> None:
    out = io.StringIO()
    film = CAPTIONS.model_copy(
        update={"kind": ArtifactKind.VIDEO, "format": "mkv", "language": None, "duration_seconds": seconds}
    )
    done = job(state=JobState.DONE, title="A film", duration_seconds=80.0, artifacts=(film,))
    print_result(done, Console(file=out, width=80))
    assert out.getvalue().splitlines()[:2] == ["A film (1:20)", f"  video · mkv · 314 B{words}"]


async def test_saving_never_overwrites(tmp_path: Path) -> None:
    storage, folder = LocalStorage(tmp_path / "store"), tmp_path / "out"
    (tmp_path / "new").write_bytes(b"film")
    await storage.put("ab/film", tmp_path / "new")
    digest = hashlib.sha256(b"film").hexdigest()
    film = Artifact(storage_key="ab/film", file_name="Film (1).mp4", size=4, sha256=digest)
    folder.mkdir()
    (folder / "Film (1).mp4").write_bytes(b"mine")
    (folder / "Film (1) (2).mp4").symlink_to(tmp_path / "nowhere")
    for _ in range(2):  # the second time it is there already
        saved = [path.name async for path in save_files([film], storage, folder)]
        assert saved == ["Film (1) (3).mp4"]
    assert (folder / "Film (1).mp4").read_bytes() == b"mine" and not (tmp_path / "nowhere").exists()
    assert (folder / "Film (1) (3).mp4").stat().st_nlink == 1, "a copy, which they may change"
