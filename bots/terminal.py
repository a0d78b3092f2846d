"""`linkferry get`: the same journey in a terminal, with one status line that is edited in place."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from hashlib import file_digest
from itertools import count
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.text import Text

from shared.chat.words import describe, facts, share, stage_words
from shared.models import Artifact, JobState
from shared.results import ArtifactView, JobView
from shared.storage import Storage
from shared.words import time_words

BAR_WIDTH = 24
SHORTEST_BAR = 6
GAP = "  "
BARS = {True: ("━", "╌"), False: ("#", "-")}  # by whether the terminal speaks UTF-8
JOINERS = "\u200c\u200d"  # invisible, but parts of Persian words and of emoji


def status_line(view: JobView, *, width: int = 120, unicode: bool = True) -> str:
    """One line that says where the job is: stage, bar, percent, size, speed, time left.

    `width` in columns: the bar gives way to the facts.
    """
    if view.state is JobState.RUNNING:
        return _running_line(view, width, BARS[unicode])
    if view.state is JobState.QUEUED and view.retry_in is not None:
        reason = view.error.message if view.error else ""
        return f"Trying again in {view.retry_in:.0f} s. {reason}".strip()
    if view.state is JobState.QUEUED and view.position and not view.obstacle:
        return f"Queued (number {view.position})"
    return stage_words(view)


def _running_line(view: JobView, width: int, marks: tuple[str, str]) -> str:
    progress = view.progress or {}
    words, numbers = f"{stage_words(view):<19}", facts(progress)
    done = share(progress)
    if done is not None:
        room = min(BAR_WIDTH, width - len(GAP.join([words, f"{done:4.0%}", *numbers])) - 1)
        full = round(done * room)
        bar = marks[0] * full + marks[1] * (room - full) + " " if room >= SHORTEST_BAR else ""
        numbers.insert(0, f"{bar}{done:4.0%}")
    return GAP.join([words, *numbers]).rstrip()


def plain(text: str) -> str:
    """The text without what commands a terminal or turns its direction: titles are strangers' words."""
    return "".join(char if char.isprintable() or char in JOINERS else " " for char in text)


def say(console: Console, text: str, style: str = "") -> None:
    """One line for a person. Only a terminal may break it: elsewhere it ends up in a file or a program."""
    console.print(Text(plain(text), style=style), soft_wrap=not console.is_terminal)


async def show_progress(views: AsyncIterator[JobView], console: Console) -> JobView | None:
    """Show the job until it ends; returns its end. A terminal gets one line, anything else one a stage."""
    if console.is_terminal and not console.is_dumb_terminal:
        return await _edit_in_place(views, console)
    last: JobView | None = None
    shown: set[str] = set()
    async for last in views:
        words = stage_words(last)
        if last.state is JobState.QUEUED:
            shown &= {words}  # whatever comes then begins anew
        if last.state.is_active and words not in shown:
            shown.add(words)
            say(console, words)
    return last


async def _edit_in_place(views: AsyncIterator[JobView], console: Console) -> JobView | None:
    last = None
    unicode = console.encoding.lower().startswith("utf")
    with Live(console=console, refresh_per_second=10, transient=True) as live:
        async for last in views:
            line = plain(status_line(last, width=console.width, unicode=unicode))
            live.update(Text(line, no_wrap=True, overflow="ellipsis"))
    return last


def print_result(view: JobView, console: Console) -> None:
    """What came of it, for people."""
    if view.error is not None and view.state is not JobState.DONE:
        say(console, view.error.message, "red")
        return
    length = f" ({time_words(view.duration_seconds)})" if view.duration_seconds else ""
    say(console, f"{view.title or 'Done'}{length}", "bold")
    if view.note:
        say(console, view.note)
    for artifact in view.artifacts:
        say(console, f"  {describe(artifact)}{_own_length(artifact, view)}")
        if artifact.url:
            # unbroken in a terminal too: what is copied from it must be the whole link
            console.print(Text(f"    {artifact.url}", style="cyan"), soft_wrap=True)


def _own_length(artifact: ArtifactView, view: JobView) -> str:
    """How long a file is that is not as long as the whole: that of a clip."""
    own, whole = artifact.duration_seconds, view.duration_seconds
    return f" · {time_words(own)}" if own and whole and abs(own - whole) > 1 else ""


async def save_files(artifacts: Sequence[Artifact], storage: Storage, folder: Path) -> AsyncIterator[Path]:
    """Put the files of a finished job into a folder of the person's, under names for people.

    What is there already is never overwritten: the same file is left as it is, another one gets a neighbour.
    """
    for artifact in artifacts:
        for target in _names(folder / artifact.file_name):
            if await asyncio.to_thread(_holds, target, artifact):
                break
            if await asyncio.to_thread(_reserve, target):
                await _place(artifact, storage, target)
                break
        yield target


def _names(path: Path) -> Iterator[Path]:
    """The name itself, then `name (2).mp4` and so on."""
    yield path
    for number in count(2):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def _holds(path: Path, artifact: Artifact) -> bool:
    if not path.is_file() or path.stat().st_size != artifact.size:
        return False
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest() == artifact.sha256


def _reserve(path: Path) -> bool:
    """Take a name that nobody has; of two processes that try at once, one gets it."""
    try:
        path.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


async def _place(artifact: Artifact, storage: Storage, reserved: Path) -> None:
    try:
        await storage.fetch(artifact.storage_key, reserved)
    except BaseException:
        await asyncio.to_thread(reserved.unlink, missing_ok=True)
        raise
