"""Looking at what Linkferry depends on, for `linkferry doctor` and `/health` alike."""

import asyncio
import re
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from importlib.metadata import PackageNotFoundError, version

from shared import space
from shared.settings import PREFIX, Settings
from shared.words import size_words

OLD_YT_DLP = 60  # days
LOW_SPACE = 2  # times the largest file allowed
ANSWER_TIME = 5  # seconds


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `advice` is empty when all is well; `fatal`: nothing works without it."""

    name: str
    found: str
    advice: str = ""
    fatal: bool = False

    @property
    def mark(self) -> str:
        """`ok`, `note`, or `fix`: what must be mended first."""
        return "ok" if not self.advice else "fix" if self.fatal else "note"


def names(given: Iterable[str]) -> Finding:
    """Does every variable with our prefix name a setting? One that does not is ignored everywhere else."""
    real = {f"{PREFIX}{name.upper()}{end}" for name in Settings.model_fields for end in ("", "_FILE")}
    unknown = sorted(name for name in given if name.startswith(PREFIX) and name not in real)
    if not unknown:
        return Finding("settings", "every name is known")
    guesses = {name: get_close_matches(name, sorted(real), n=1, cutoff=0.8) for name in unknown}
    advice = [f"Did you mean {guess[0]} by {name}?" for name, guess in guesses.items() if guess]
    advice += ["README.md lists every setting."]
    return Finding("settings", f"{', '.join(unknown)}: without effect.", " ".join(advice))


async def program(name: str) -> Finding:
    """A program of ffmpeg: is it there, and does it run?"""
    path = shutil.which(name)
    if path is None:
        return Finding(name, "missing.", "Install it: apt install ffmpeg.", fatal=True)
    try:
        async with asyncio.timeout(ANSWER_TIME):
            output = await _version_words(path)
    except TimeoutError:
        return Finding(name, f"{path} does not answer.", f"See why: {path} -version.", fatal=True)
    except OSError as error:
        return Finding(name, f"{path} does not run ({error}).", "Install it: apt install ffmpeg.", fatal=True)
    found = re.search(rb"version (\S+)", output)
    return Finding(name, found[1].decode(errors="replace") if found else "of an unknown version")


async def _version_words(path: str) -> bytes:
    process = await asyncio.create_subprocess_exec(
        path, "-version", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:  # it is too slow; one that waits for its disk would be waited for, too
            process.kill()
    return output


async def deno() -> Finding:
    """What yt-dlp runs YouTube's JavaScript with."""
    try:
        return Finding("deno", version("deno"))
    except PackageNotFoundError:
        return Finding("deno", "missing.", "YouTube needs it: pip install 'yt-dlp[default,deno]'.")


async def yt_dlp() -> Finding:
    """Is it there, and of this season? Sites change."""
    try:
        installed = version("yt-dlp")
    except PackageNotFoundError:
        return Finding("yt-dlp", "missing.", "Install it: pip install 'yt-dlp[default]'.", fatal=True)
    age = yt_dlp_age()
    if age is not None and age > OLD_YT_DLP:
        return Finding(
            "yt-dlp", f"{installed}.", f"It is {age} days old: the README says how to get a newer one."
        )
    return Finding("yt-dlp", installed)


def yt_dlp_age() -> int | None:
    """Days since the installed yt-dlp was released; None when there is none that says so."""
    try:
        return age_in_days(version("yt-dlp"), datetime.now(UTC).date())
    except PackageNotFoundError:
        return None


def age_in_days(release: str, today: date) -> int | None:
    """How old a yt-dlp release is; its version is its date. None when it is not."""
    numbers = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})(?!\d)", release)
    try:
        return (today - date(*map(int, numbers.groups()))).days if numbers else None
    except ValueError:
        return None


async def disk(settings: Settings) -> Finding:
    """Is there room for files, and will there be?"""
    free = await asyncio.to_thread(space.free, settings)
    if free is None:
        return Finding("free space", "unknown")
    words = size_words(free)
    if free < settings.disk_reserve:
        kept = f"{size_words(settings.disk_reserve)} (LINKFERRY_DISK_RESERVE_GB)"
        advice = f"With less than {kept} no job is taken on this machine: free some."
        return Finding("free space", f"{words}.", advice, fatal=True)
    low = free < LOW_SPACE * settings.max_bytes
    advice = "That is less than two of the largest files: free some, or lower LINKFERRY_MAX_FILE_SIZE_GB."
    return Finding("free space", f"{words}.", advice) if low else Finding("free space", words)


def workers(slots: Mapping[str, int]) -> Finding:
    """Who is there to carry jobs? `slots` by worker: 0 while its disk has no room."""
    if not slots:
        advice = "Start one: linkferry worker. One that runs and can take nothing says why in its log."
        return Finding("workers", "none running.", advice)
    words = f"{len(slots)} running, {sum(slots.values())} jobs at once"
    if 0 in slots.values():
        short = ", ".join(name for name, count in slots.items() if not count)
        return Finding("workers", f"{words}.", f"These have no room on their disk: {short}.")
    return Finding("workers", words)
