"""One attempt at one job, as a readable list of stages. Every write goes through the fence."""

import asyncio
import fcntl
import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs
from shared.database import Database
from shared.errors import Code, JobError
from shared.jobs import Fence
from shared.link import media_key
from shared.models import Artifact, Job, Stage
from shared.options import Options
from shared.settings import Settings
from shared.storage import Storage
from worker import media
from worker.artifacts import Draft, caption_draft, media_draft, side_draft, to_artifact
from worker.captions import convert as convert_captions
from worker.child import Child, ChildServer
from worker.child.protocol import CaptionFile, Identity, Limits, Media
from worker.progress import Reporter

GENERIC = ("Generic", "HTML5MediaEmbed")


@dataclass(frozen=True)
class Tools:
    """What every attempt of a worker shares."""

    settings: Settings
    database: Database
    storage: Storage
    children: ChildServer
    report: Callable[[UUID, dict[str, object]], Awaitable[None]]  # progress events for watchers


class Attempt:
    """Carries one claimed job to `done` (or to its twin). `run` returns when the outcome is written."""

    def __init__(self, job: Job, tools: Tools) -> None:
        self.fence = Fence(job.id, job.attempt)
        self._link = job.link
        self._site = job.site
        self._options = Options.model_validate(job.options)
        self._tools = tools
        self._database = tools.database
        self.work_dir = work_dir(tools.settings, job.id)
        self.reporter = Reporter(self.fence, tools.database, tools.report)

    async def run(self) -> None:
        """Identify, look, fetch, convert, verify, store. Raises JobError, ChildCrashed or LeaseLost."""
        identity = await self._tools.children.identify(self._link)
        if identity is not None and await self._is_twin(identity):
            return
        with own_folder(self.work_dir, self.fence.attempt) as self.work_dir:
            await self._work()

    async def _work(self) -> None:
        async with (
            self.reporter,
            self._tools.children.open(self.work_dir, self._limits(), self._cookies()) as child,
        ):
            await self.reporter.enter(Stage.PROBE)
            found = await child.probe(self._link)
            is_entry = found.playlist_count is not None  # its result says so, which the entry's own must not
            if not is_entry and await self._is_twin(identity_of(found)):
                return
            await self._describe(found)
            drafts = await self._fetch(child, found)
        await self._store(drafts)

    async def _is_twin(self, identity: Identity) -> bool:
        """Join the job that already is, or has, the same media; False when this job is the first."""
        key = media_key(identity.extractor, identity.media_id, self._options)
        for last_try in (False, True):
            try:
                async with self._database.write() as session:
                    twin = await jobs.identify(session, self.fence, key)
                    while twin is not None and not await self._has_files(session, twin):
                        twin = await jobs.identify(session, self.fence, key)
                    if twin is not None:
                        await jobs.join(session, self.fence, twin.id)
                        await jobs.enqueue(session, twin.id)
                return twin is not None
            except (
                IntegrityError
            ):  # another worker named the same media in the same instant: now it is visible
                if last_try:
                    raise
        return False

    async def _has_files(self, session: AsyncSession, twin: Job) -> bool:
        """A finished job whose files somebody removed by hand is no twin; mark what is gone."""
        if twin.state.is_active:
            return True
        artifacts = (await session.scalars(select(Artifact).where(Artifact.job_id == twin.id))).all()
        stored = self._tools.storage
        lost = [artifact.id for artifact in artifacts if not await stored.exists(artifact.storage_key)]
        if lost:
            await jobs.mark_deleted(session, lost)
        return not lost

    async def _describe(self, found: Media) -> None:
        _refuse_impossible(found, self._options)
        note = None
        if found.playlist_count is not None:
            note = f"That was a playlist of {found.playlist_count}; this is its first entry."
        async with self._database.write() as session:
            await jobs.describe(
                session,
                self.fence,
                title=found.title,
                duration=found.duration,
                media=found.model_dump(mode="json"),
                note=note,
            )

    async def _fetch(self, child: Child, found: Media) -> list[Draft]:
        """Everything that comes from the site, then the one ffmpeg pass; the child may end afterwards."""
        drafts = await self._captions(child, found)
        if self._options.media:
            drafts.insert(0, await self._media(child, found))
        thumbnail, info = await child.extras()
        return drafts + [side_draft(path, found.title) for path in (thumbnail, info) if path is not None]

    async def _media(self, child: Child, found: Media) -> Draft:
        await self.reporter.enter(Stage.DOWNLOAD)
        files = await child.download(self._options, self.reporter.downloaded)
        await self.reporter.enter(Stage.CONVERT)
        inputs = [Path(file.path) for file in files]
        try:
            result = await media.convert(inputs, self.work_dir, self._options, self.reporter.converted)
            await self.reporter.enter(Stage.VERIFY)
            facts = await media.verify(result, self._options, found.duration)
        except JobError as error:
            if error.code is Code.BROKEN_FILE:  # the next attempt is to fetch it anew, not to find it there
                for path in inputs:
                    path.unlink(missing_ok=True)
            raise
        return media_draft(result, facts, found.title)

    async def _captions(self, child: Child, found: Media) -> list[Draft]:
        if not self._options.languages:
            return []
        await self.reporter.enter(Stage.CAPTIONS)
        tracks = await self._wanted_tracks(child)
        drafts: list[Draft] = []
        for track in tracks:
            drafts += await self._transcripts(track, found)
        if not drafts and not self._options.media:
            raise JobError(Code.NO_CAPTIONS, f"of {', '.join(self._options.languages)}")
        return drafts

    async def _wanted_tracks(self, child: Child) -> tuple[CaptionFile, ...]:
        """Captions that fail never fail a video: they are an extra there, and the job itself in `/subs`."""
        try:
            return await child.captions(self._options.languages)
        except JobError:
            if not self._options.media:
                raise
            return ()

    async def _transcripts(self, track: CaptionFile, found: Media) -> list[Draft]:
        """One site's track in every format asked for; parsing is work, so it leaves the event loop."""

        def convert() -> list[Draft]:
            texts = convert_captions(
                Path(track.path).read_bytes(),
                track.format,
                automatic=track.source != "manual",
                formats=self._options.caption_formats,
                chapters=found.chapters,
                clip=self._options.clip,
            )
            return [
                caption_draft(self.work_dir, text, caption_format, track, found.title)
                for caption_format, text in texts.items()
            ]

        try:
            return await asyncio.to_thread(convert)
        except JobError:
            return []

    async def _store(self, drafts: list[Draft]) -> None:
        await self.reporter.enter(Stage.STORE)
        artifacts: list[Artifact] = []
        for draft in drafts:
            artifacts.append(
                await to_artifact(draft, self.fence, self._tools.storage, self._tools.settings.retention)
            )
        async with self._database.write() as session:
            await jobs.finish(session, self.fence, artifacts)

    def _limits(self) -> Limits:
        settings = self._tools.settings
        return Limits(
            max_bytes=settings.max_bytes,
            wall_clock=settings.download_timeout,
            no_progress=settings.stall_timeout,
            allowed_addresses=settings.allowed_addresses,
            playlist_limit=settings.playlist_limit,
        )

    def _cookies(self) -> Path | None:
        """A private copy: yt-dlp writes the file back when it closes."""
        source = self._tools.settings.cookie_file
        if source is None:
            return None
        copy = self.work_dir / "cookies.txt"
        copy.touch(mode=0o600)
        copy.write_bytes(source.read_bytes())
        return copy


def identity_of(found: Media) -> Identity:
    """What makes two links the same media; generic extractors name it after the end of the address only."""
    media_id = found.webpage_url if found.extractor in GENERIC else found.media_id
    return Identity(extractor=found.extractor, media_id=media_id)


def work_root(settings: Settings) -> Path:
    """Where unfinished files live, one folder a job."""
    return settings.data_dir.resolve() / "work"


def work_dir(settings: Settings, job_id: UUID) -> Path:
    """A job's own folder; kept across attempts, so that a download resumes."""
    return work_root(settings) / str(job_id)


@contextmanager
def own_folder(folder: Path, attempt: int) -> Iterator[Path]:
    """The job's folder, for this attempt alone while the block runs; a fresh one inside when it is taken.

    Then an earlier attempt has lost its lease without knowing: its worker stands still, but not its child,
    and two that resume the same download make a file of both. The kernel lets go when a worker dies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            folder = folder / f"attempt-{attempt}"
            folder.mkdir(exist_ok=True)
        yield folder
    finally:
        os.close(handle)


def _refuse_impossible(found: Media, options: Options) -> None:
    """Say no before a byte is fetched."""
    if options.clip and found.duration and options.clip.start >= found.duration:
        raise JobError(Code.CLIP_OUTSIDE, f"starts at {options.clip.start} of {found.duration}")
