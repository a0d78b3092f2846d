"""`linkferry doctor`: looks at everything Linkferry depends on and says what to do."""

import asyncio
import re
import shutil
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version

from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import text

import migrations
from linkferry.carry import answers
from shared.database import Database
from shared.lock import worker_lock
from shared.settings import Settings

OLD_YT_DLP = 60  # days
LOW_SPACE = 2  # times the largest file allowed


@dataclass(frozen=True)
class Finding:
    """One thing looked at. `advice` is empty when all is well; `fatal`: nothing works without it."""

    name: str
    found: str
    advice: str = ""
    fatal: bool = False


async def run(settings: Settings, console: Console) -> int:
    """Look at everything; returns 1 when something must be mended first."""
    checks: list[Callable[[Settings], Awaitable[Finding]]] = [
        _python, _ffmpeg, _ffprobe, _deno, _yt_dlp, _data_folder, _disk, _database, _worker, _web,
    ]  # fmt: skip
    findings = [await check(settings) for check in checks]
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for finding in findings:
        mark = (
            Text("ok", "green") if not finding.advice else Text("fix" if finding.fatal else "note", "yellow")
        )
        table.add_row(mark, finding.name, f"{finding.found} {finding.advice}".strip())
    console.print(table)
    return int(any(finding.fatal and finding.advice for finding in findings))


async def _python(_: Settings) -> Finding:
    return Finding("python", sys.version.split()[0])


async def _ffmpeg(_: Settings) -> Finding:
    return await _program("ffmpeg")


async def _ffprobe(_: Settings) -> Finding:
    return await _program("ffprobe")


async def _program(name: str) -> Finding:
    path = shutil.which(name)
    if path is None:
        return Finding(name, "missing.", "Install it: apt install ffmpeg.", fatal=True)
    process = await asyncio.create_subprocess_exec(path, "-version", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found = re.search(rb"version (\S+)", output)
    return Finding(name, found[1].decode() if found else "a version that does not say its number")


async def _deno(_: Settings) -> Finding:
    try:
        return Finding("deno", version("deno"))
    except PackageNotFoundError:
        return Finding("deno", "missing.", "YouTube needs it: pip install 'yt-dlp[default,deno]'.")


async def _yt_dlp(_: Settings) -> Finding:
    installed = version("yt-dlp")
    age = age_in_days(installed, datetime.now(UTC).date())
    old = age is not None and age > OLD_YT_DLP
    return Finding("yt-dlp", installed, f"It is {age} days old: pip install --upgrade yt-dlp." if old else "")


def age_in_days(release: str, today: date) -> int | None:
    """How old a yt-dlp release is; its version is its date. None when it is not."""
    numbers = re.match(r"(\d{4})\.(\d{1,2})\.(\d{1,2})", release)
    return (today - date(*map(int, numbers.groups()))).days if numbers else None


async def _data_folder(settings: Settings) -> Finding:
    folder = settings.data_dir.resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".doctor"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Finding("data folder", str(folder), f"I cannot write there: {error.strerror}.", fatal=True)
    return Finding("data folder", str(folder))


async def _disk(settings: Settings) -> Finding:
    if not settings.data_dir.exists():
        return Finding("free space", "unknown")
    free = shutil.disk_usage(settings.data_dir).free
    low = free < LOW_SPACE * settings.max_bytes
    return Finding(
        "free space", f"{free / 10**9:.1f} GB", "That is less than two of the largest files." if low else ""
    )


async def _database(settings: Settings) -> Finding:
    database = Database(settings.effective_database_url)
    kind = "SQLite" if database.is_sqlite else "PostgreSQL"
    try:
        async with asyncio.timeout(5), database.connection() as connection:
            await connection.execute(text("SELECT 1"))
        current = await migrations.is_current(database)
    except Exception as error:
        return Finding(
            "database", kind, f"I cannot open it: {type(error).__name__}. Check its address.", fatal=True
        )
    finally:
        await database.close()
    return Finding(
        "database", kind, "" if current else "Its schema is not there yet; the first start makes it."
    )


async def _worker(settings: Settings) -> Finding:
    if not settings.data_dir.exists():
        return Finding("worker", "not running")
    with worker_lock(settings.data_dir) as held:
        return (
            Finding("worker", "not running", "Start it: linkferry up.")
            if held
            else Finding("worker", "running")
        )


async def _web(settings: Settings) -> Finding:
    url = settings.effective_public_url
    if await asyncio.to_thread(answers, url):
        return Finding("web endpoint", f"{url} answers")
    return Finding("web endpoint", f"{url} does not answer.", "Start it: linkferry up, or linkferry web.")
