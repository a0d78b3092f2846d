"""`linkferry get`: the same journey in a terminal, with one status line that is edited in place."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from shared.models import Artifact, JobState, Stage
from shared.results import ArtifactView, JobView
from shared.storage import Storage

BAR_WIDTH = 24

STAGE_WORDS = {
    Stage.PROBE: "Looking at the link",
    Stage.DOWNLOAD: "Downloading",
    Stage.CAPTIONS: "Fetching captions",
    Stage.CONVERT: "Converting",
    Stage.VERIFY: "Checking the file",
    Stage.STORE: "Storing",
}


def status_line(view: JobView) -> str:
    """One line that says where the job is: stage, bar, percent, size, speed, time left."""
    if view.state is JobState.QUEUED:
        if view.retry_in is not None:
            reason = view.error.message if view.error else ""
            return f"Trying again in {view.retry_in:.0f} s. {reason}".strip()
        return f"Queued (number {view.position})" if view.position else "Queued"
    if view.state is not JobState.RUNNING:
        return view.state.capitalize()
    words = STAGE_WORDS.get(view.stage, "Starting") if view.stage else "Starting"
    return "  ".join([f"{words:<19}", *_progress_parts(view.progress or {})]).rstrip()


def _progress_parts(progress: dict[str, float]) -> list[str]:
    parts = []
    done, total, fraction = progress.get("done"), progress.get("total"), progress.get("fraction")
    if fraction is None and done is not None and total:
        fraction = done / total
    if fraction is not None:
        share = min(1.0, max(0.0, fraction))
        full = round(share * BAR_WIDTH)
        parts.append(f"{'━' * full}{'╌' * (BAR_WIDTH - full)} {share:4.0%}")
    if done:
        parts.append(f"{size_words(done)} of {size_words(total)}" if total else size_words(done))
    if speed := progress.get("speed"):
        parts.append(f"{size_words(speed)}/s")
    if (eta := progress.get("eta")) is not None:
        parts.append(f"{time_words(eta)} left")
    return parts


def size_words(size: float) -> str:
    """A size in bytes for people: 1.5 MB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" or size >= 100 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def time_words(seconds: float) -> str:
    """A length in seconds as 1:20 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


async def show_progress(views: AsyncIterator[JobView], console: Console) -> JobView | None:
    """Edit the status line until the job ends; returns its end. Without a terminal, a line per stage."""
    last: JobView | None = None
    shown = ""
    with Live(
        console=console, refresh_per_second=10, transient=True, auto_refresh=console.is_terminal
    ) as live:
        async for view in views:
            last = view
            line = status_line(view)
            if console.is_terminal:
                live.update(Text(line, no_wrap=True, overflow="ellipsis"))
            elif view.state.is_active and line.split("  ")[0] != shown:
                shown = line.split("  ")[0]
                console.print(Text(line), soft_wrap=True)
    return last


def print_result(view: JobView, console: Console) -> None:
    """What came of it, for people."""
    if view.error is not None and view.state is not JobState.DONE:
        console.print(Text(view.error.message, style="red"))
        return
    length = f" ({time_words(view.duration_seconds)})" if view.duration_seconds else ""
    console.print(Text(f"{view.title or 'Done'}{length}", style="bold"))
    if view.note:
        console.print(Text(view.note))
    for artifact in view.artifacts:
        console.print(Text(f"  {describe(artifact)}"))
        if artifact.url:
            console.print(Text(f"    {artifact.url}", style="cyan"), soft_wrap=True)


def describe(artifact: ArtifactView) -> str:
    """What was really delivered: kind, height, format, language, size."""
    words = [str(artifact.kind)]
    if artifact.height:
        words.append(f"{artifact.height}p")
    words.append(artifact.format)
    if artifact.language:
        words.append(f"{artifact.language}, {artifact.source}")
    words.append(size_words(artifact.size_bytes))
    return " · ".join(words)


async def save_files(artifacts: Sequence[Artifact], storage: Storage, folder: Path) -> list[Path]:
    """Put the files of a finished job into a folder of the person's, under names for people."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    saved: list[Path] = []
    for artifact in artifacts:
        target = _unused(folder / artifact.file_name)
        await storage.fetch(artifact.storage_key, target)
        saved.append(target)
    return saved


def _unused(path: Path) -> Path:
    """A name nobody has taken: what the person already has is never overwritten."""
    for number in count(2):
        if not path.exists():
            break
        path = path.with_name(f"{path.stem.removesuffix(f' ({number - 1})')} ({number}){path.suffix}")
    return path
