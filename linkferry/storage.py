"""`linkferry storage`: what is kept, for whom, until when, what is left over, and removing that by hand."""

import asyncio
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from uuid import UUID

import typer
from sqlalchemy import select

from bots.intake import cancel
from bots.terminal import plain
from linkferry.compose import Parts, open_parts
from linkferry.operate import BROKER_PATIENCE, refuse, unknown
from shared import jobs, space
from shared.database import db_now
from shared.errors import JobError
from shared.models import Artifact, Job
from shared.settings import Settings
from shared.storage import StorageError
from shared.words import size_words
from worker.sweep import Kind, Leftover, sweep

TOP = 10  # sites and people that are shown
SOON = ((3600, "within an hour"), (86_400, "within a day"), (7 * 86_400, "within a week"))  # seconds
WHY = {
    Kind.EXPIRED: "its retention is over",
    Kind.ORPHAN: "its job ended without it",
    Kind.UNFINISHED: "cut short",
    Kind.WORK: "its job has ended",
}


@dataclass
class Amount:
    """So many files, and their bytes."""

    files: int = 0
    bytes: int = 0

    def add(self, size: int) -> None:
        """One file more."""
        self.files += 1
        self.bytes += size


@dataclass
class Report:
    """What `linkferry storage report --json` prints. Sizes in bytes; `free` is None where nobody can tell.

    `lost`: files that are to be there and are not. `expires`: by seconds from now, each with all before it.
    """

    storage: str
    free: int | None
    reserve: int
    work: Amount
    kept: Amount = field(default_factory=Amount)
    by_kind: dict[str, Amount] = field(default_factory=dict)
    by_site: dict[str, Amount] = field(default_factory=dict)
    by_person: dict[str, Amount] = field(default_factory=dict)
    expires: dict[int, Amount] = field(default_factory=lambda: {seconds: Amount() for seconds, _ in SOON})
    left_over: dict[str, Amount] = field(default_factory=lambda: {kind.value: Amount() for kind in Kind})
    lost: Amount = field(default_factory=Amount)


async def report(settings: Settings, *, as_json: bool) -> int:
    """Print what is kept and what is left over; returns the exit code."""
    async with open_parts(settings, patience=0) as parts:
        try:
            found = await look(parts)
        except (StorageError, JobError) as error:
            return _refuse(error)
    if as_json:
        typer.echo(json.dumps(asdict(found)))
    else:
        for line in lines(found):
            typer.echo(line)
    return 0


async def run_sweep(settings: Settings, *, dry_run: bool) -> int:
    """Delete what is left over, and say what; returns the exit code."""
    total = Amount()
    async with open_parts(settings, patience=0) as parts:
        try:
            async for each in sweep(parts, only_look=dry_run):
                typer.echo(line_of(each))
                total.add(each.size)
        except (StorageError, JobError) as error:
            return _refuse(error)
    did = "would go" if dry_run else "deleted"
    typer.echo(f"{_words(total)} {did}." if total.files else "Nothing is left over.")
    return 0


async def revoke(settings: Settings, job_id: UUID) -> int:
    """Delete a job's files before their time; no link leads to them any more. Returns the exit code.

    A job that has not ended is cancelled: otherwise its links would work a minute later.
    """
    total = Amount()
    async with open_parts(settings, BROKER_PATIENCE) as parts:
        view = await parts.follower.view(job_id)
        if view is None:
            return unknown(job_id)
        if view.state.is_active:
            try:
                await cancel(parts.database, parts.queue, view.job_id)
            except JobError as error:
                return refuse(error.message)
            typer.echo("The job had not ended; it is cancelled.")
        async with parts.database.write() as session:
            revoked = await jobs.revoke(session, view.job_id)
        try:
            for key, size in revoked:  # what is left of them after a crash goes as orphans
                await parts.storage.delete(key)
                total.add(size)
        except (StorageError, JobError) as error:
            return _refuse(error)
    typer.echo(f"{_words(total)} deleted; their links lead nowhere now.")
    return 0


def line_of(leftover: Leftover) -> str:
    """One thing that goes, and why."""
    return f"{size_words(leftover.size):>9}  {leftover.name}  ({WHY[leftover.kind]})"


async def look(parts: Parts) -> Report:
    """Compare what is stored with what is known. Raises StorageError, JobError."""
    settings = parts.settings
    free, work = await asyncio.gather(
        asyncio.to_thread(space.free, settings), asyncio.to_thread(_work, settings)
    )
    where = f"the bucket {settings.s3_bucket}" if settings.uses_s3 else str(settings.files_folder)
    found = Report(where, free, settings.disk_reserve, work)
    stored = {each.key async for each in parts.storage.keys()}  # noqa: SIM118
    await _count(parts, found, stored)
    async for leftover in sweep(parts, only_look=True):
        found.left_over[leftover.kind].add(leftover.size)
    return found


async def _count(parts: Parts, found: Report, stored: set[str]) -> None:
    columns = (
        Artifact.kind,
        Artifact.size,
        Artifact.storage_key,
        Artifact.expires_at,
        Job.site,
        Job.user_key,
    )
    kept = select(*columns, db_now()).join(Job, Job.id == Artifact.job_id)
    kept = kept.where(Artifact.deleted_at.is_(None), Artifact.expires_at > db_now())
    async with parts.database.read() as session:
        rows = (await session.execute(kept)).all()
    for kind, size, key, expires_at, site, person, now in rows:
        # some are stored while others are listed
        if key not in stored and await parts.storage.size(key) is None:
            found.lost.add(size)
            continue
        found.kept.add(size)
        for group, name in ((found.by_kind, kind), (found.by_site, site), (found.by_person, person)):
            group.setdefault(str(name), Amount()).add(size)
        for seconds in found.expires:
            if (expires_at - now).total_seconds() <= seconds:
                found.expires[seconds].add(size)


def _work(settings: Settings) -> Amount:
    """The folders of unfinished jobs."""
    folders = [path for path in settings.work_folder.glob("*") if path.is_dir()]
    return Amount(len(folders), sum(map(space.size_of, folders)))


def lines(found: Report) -> Iterable[str]:
    """The report for people."""
    room = "unknown" if found.free is None else size_words(found.free)
    yield f"kept in       {plain(found.storage)}"
    yield f"free          {room}, of which {size_words(found.reserve)} stay free"
    yield f"at work       {_words(found.work, 'folder')}"
    yield f"kept          {_words(found.kept)}"
    yield from _table(found.by_kind)
    yield from _group("by site", found.by_site)
    yield from _group("by person", found.by_person)
    if found.kept.files:
        yield "expires"
        yield from (f"  {words:<20}{_words(found.expires[seconds])}" for seconds, words in SOON)
    left = _sum(found.left_over.values())
    yield f"left over     {_words(left)}"
    if left.files:
        yield from _table({WHY[Kind(kind)]: each for kind, each in found.left_over.items() if each.files})
        yield "  Remove it: linkferry storage sweep"
    if found.lost.files:
        yield f"lost          {_words(found.lost)}: somebody else removed them; send the links again"


def _group(name: str, amounts: dict[str, Amount]) -> Iterable[str]:
    if amounts:
        yield name
        yield from _table(amounts)


def _table(amounts: dict[str, Amount]) -> Iterable[str]:
    """The largest first."""
    ranked = sorted(amounts.items(), key=lambda each: -each[1].bytes)
    for name, amount in ranked[:TOP]:
        yield f"  {plain(name)[:40]:<20}  {_words(amount)}"
    if len(ranked) > TOP:
        yield f"  and {len(ranked) - TOP} more"


def _words(amount: Amount, what: str = "file") -> str:
    return f"{amount.files} {what}{'s' * (amount.files != 1)}, {size_words(amount.bytes)}"


def _sum(amounts: Iterable[Amount]) -> Amount:
    total = Amount()
    for amount in amounts:
        total.files += amount.files
        total.bytes += amount.bytes
    return total


def _refuse(error: StorageError | JobError) -> int:
    return refuse(f"The storage does not do what it should: {error}")
