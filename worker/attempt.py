"""One attempt at one job, as a readable list of stages. Every write goes through the fence."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from shared import jobs, quota
from shared.errors import Code, ConfigError, JobError
from shared.jobs import Ending, Fence
from shared.models import Artifact, Job, Stage
from shared.options import Options
from worker import media
from worker.artifacts import Draft, media_draft, sent_ahead, side_draft, store_all
from worker.child import Child, ChildCrashed, NoChild
from worker.child.protocol import CaptionFile, Identity, Limits, Media, StreamFile
from worker.folders import fetch_anew, own_folder, work_dir
from worker.media import Kind
from worker.progress import Reporter
from worker.speech import FAILED, NO_SOUND, NOBODY, SOUND
from worker.tools import Tools
from worker.transcripts import (
    Means,
    Patience,
    make_transcripts,
    no_captions,
    passage_rows,
    wanted_languages,
)
from worker.translate import open_translation
from worker.twins import Twins, identity_of

log = logging.getLogger(__name__)

SIDE_SHARE = 0.25  # of the time that is left: what captions and a thumbnail of a video may take of it
PROMISED = {"video": {Kind.VIDEO}, "audio": {Kind.AUDIO}, "both": set[Kind]()}  # the last is a guess


@dataclass
class Fetched:
    """All that came from the site. `tracks` is None when there should have been some; `extras` are paths."""

    found: Media
    files: tuple[StreamFile, ...] = ()
    tracks: tuple[CaptionFile, ...] | None = ()
    extras: tuple[Path, ...] = ()


class Attempt:
    """Carries one claimed job to `done` (or to its twin). `run` returns when the outcome is written."""

    def __init__(self, job: Job, tools: Tools) -> None:
        self.fence = Fence(job.id, job.attempt)
        self._link = job.link
        self._user_key = job.user_key
        self._options = Options.model_validate(job.options)
        self._tools = tools
        self._settings = tools.settings
        self._database = tools.database
        self._twins = Twins(self.fence, self._options, tools.database, tools.storage, tools.settings)
        self._length: float | None = None  # seconds, where the site says none
        self._passages: list[dict[str, Any]] = []  # rows of what can be searched in
        self._is_withheld = False  # something that was to be had was not this time: captions, a translation
        self._clock = asyncio.timeout(tools.settings.download_timeout)
        self.work_dir = work_dir(tools.settings, job.id)
        self.reporter = Reporter(self.fence, tools.database, tools.report)

    async def run(self) -> None:
        """Identify, look, fetch, convert, verify, store.

        Raises JobError, ChildCrashed, NoChild or LeaseLost.
        """
        async with self.reporter:
            try:
                async with self._clock:
                    artifacts = await self._work()
            except TimeoutError as error:
                if not self._clock.expired():
                    raise
                limit = self._settings.download_timeout
                raise JobError(Code.TIMED_OUT, f"longer than {limit} s") from error
        if artifacts is not None:
            is_whole = not self._is_withheld
            kept = self._settings.retention
            ending = Ending(self.fence, artifacts, kept, self._length, is_whole, self._passages)
            await self._tools.finish(ending)

    async def _work(self) -> list[Artifact] | None:
        """Everything up to the stored files; None when another job already is about the same media."""
        if await self._joins(await self._tools.children.identify(self._link)):
            return None
        with own_folder(self.work_dir) as self.work_dir:
            async with self._tools.room.held(self.work_dir):
                fetched = await self._fetch()
                if fetched is None:
                    return None
                drafts = [] if self._options.probe_only else await self._make(fetched)
            return await self._store(drafts)

    async def _joins(self, identity: Identity | None) -> bool:
        """Whether the job has ended as the twin of another; then its progress is nobody's any more."""
        async with self.reporter.silence:
            if not await self._twins.joined(identity):
                return False
            self.reporter.end()
        return True

    async def _fetch(self) -> Fetched | None:
        """Everything that comes from the site, so that the child has ended when the long work begins."""
        limits = await self._limits()
        async with self._tools.children.open(self.work_dir, limits, self._cookies()) as child:
            await self.reporter.enter(Stage.PROBE)
            found = await child.probe(self._link)
            is_entry = found.playlist_count is not None  # its result says so, which the entry's own must not
            if not is_entry and await self._joins(identity_of(found)):
                return None
            _refuse_impossible(found, self._options)
            await self._describe(found)
            fetched = Fetched(found)
            if self._options.probe_only:
                return fetched
            await self._check_quota()
            if self._options.media:
                await self.reporter.enter(Stage.DOWNLOAD)
                fetched.files = await child.download(self._options, self.reporter.downloaded)
            await self._fetch_captions(child, fetched)
            async with self._beside("the thumbnail and the info"):
                thumbnail, info = await child.extras()
                fetched.extras = (thumbnail, info) if thumbnail else (info,)
            await self._look(child, fetched.files)
        return fetched

    async def _look(self, child: Child, files: Sequence[StreamFile]) -> None:
        """What the child sees in its files need not be seen again by a process of ffprobe's."""
        if not files:
            return
        async with self._beside("the child's look at the files"):
            for file, answer in zip(files, await child.look(files), strict=True):
                await media.trust(Path(file.path), answer)

    async def _check_quota(self) -> None:
        """Many links at once are all taken in; what the first of them fetched is known only now."""
        if not self._settings.max_user_bytes:
            return
        async with self._database.read() as session:
            payer = await quota.payer(session, self.fence.job_id, self._settings)
        if payer is not None and payer != self._user_key:
            await self._surely(lambda session: jobs.charge(session, self.fence, payer))

    async def _fetch_captions(self, child: Child, fetched: Fetched) -> None:
        """They are an extra of a video, and the job itself where nothing else was asked for."""
        languages = wanted_languages(self._options)
        if not languages:
            return
        await self.reporter.enter(Stage.CAPTIONS)
        speech = self._tools.speech
        if speech.is_preferred(self._options):
            fetched.tracks = ()
        elif not self._options.media:
            fetched.tracks = await child.captions(languages)
        else:
            fetched.tracks = None
            async with self._beside("the captions"):
                fetched.tracks = await child.captions(languages)
        is_due = speech.is_due(self._options, fetched.tracks) and fetched.found.has_audio
        if is_due and not self._options.media:
            await self.reporter.enter(Stage.DOWNLOAD)
            fetched.files = await child.download(SOUND, self.reporter.downloaded)

    @asynccontextmanager
    async def _beside(self, what: str) -> AsyncIterator[None]:
        """Side work: whatever goes wrong with it, even with the child, costs only what it was for."""
        try:
            async with asyncio.timeout(min(self._settings.stall_timeout, self._left() * SIDE_SHARE)):
                yield
        except (JobError, ChildCrashed, NoChild, TimeoutError) as error:
            log.warning("the job goes on without %s: %r", what, error)

    def _left(self) -> float:
        """Seconds of this attempt that are left."""
        return (self._clock.when() or 0.0) - asyncio.get_running_loop().time()

    @contextmanager
    def _clock_stopped(self) -> Iterator[None]:
        """What is done meanwhile has a limit of its own."""
        left = self._left()
        self._clock.reschedule(None)
        try:
            yield
        finally:
            self._clock.reschedule(asyncio.get_running_loop().time() + left)

    async def _hear(self, fetched: Fetched) -> str | None:
        """Where there are no captions, what is heard becomes a track; a sentence when nothing came of it."""
        speech, options = self._tools.speech, self._options
        if not speech.is_due(options, fetched.tracks):
            return speech.hint(options, fetched.tracks)
        await self.reporter.enter(Stage.SPEECH)
        told = self.reporter.converted
        try:
            with self._clock_stopped(), self._tools.slots.lent():
                track = await speech.hear(fetched.found, fetched.files, self.work_dir, options.clip, told)
        except JobError as error:
            log.warning("nothing was heard: %s", error)
            if options.media or error.code is Code.NO_CAPTIONS:
                return FAILED if error.code is Code.BROKEN_FILE else error.sentence
            if error.code is Code.BROKEN_FILE:
                fetch_anew(self.work_dir, error, fetched.files)
            raise
        fetched.tracks = (track,) if track else ()
        return None if track else NOBODY

    async def _make(self, fetched: Fetched) -> list[Draft]:
        """What was fetched becomes files that can be stored."""
        found, options = fetched.found, self._options
        unheard = await self._hear(fetched)
        time = self._left() * (SIDE_SHARE if options.media else 1.0)
        patience = Patience(each=self._settings.stall_timeout, together=time)
        page = self._tools.watch_url(self.fence.job_id)
        means = Means(self.work_dir, patience, open_translation(self._settings), self.reporter, page)
        transcripts = await make_transcripts(fetched.tracks, found, options, means)
        if not options.media and not transcripts.drafts:
            raise no_captions(options, unheard, found)
        self._is_withheld = not transcripts.is_whole or unheard not in (None, NOBODY, NO_SOUND)
        drafts = transcripts.drafts + [side_draft(path, found.title) for path in fetched.extras]
        if options.media:
            drafts.insert(0, await self._media(fetched))
        self._length = None if found.duration else await _length(fetched.files)
        if note := " ".join(filter(None, (transcripts.note, unheard))):
            await self._describe(found, note)
        return drafts

    async def _store(self, drafts: list[Draft]) -> list[Artifact]:
        """Bring the files into storage."""
        if not drafts:
            return []
        await self.reporter.enter(Stage.STORE)
        artifacts = await store_all(drafts, self.fence, self._tools.storage, self.reporter.converted)
        self._passages = await passage_rows(drafts, artifacts, self._database.is_sqlite)
        return artifacts

    async def _media(self, fetched: Fetched) -> Draft:
        await self.reporter.enter(Stage.CONVERT)
        found, options = fetched.found, self._options
        inputs = [Path(file.path) for file in fetched.files]
        kinds = set[Kind]().union(*(PROMISED[file.kind] for file in fetched.files))
        limits = media.ConversionLimits(self._settings.stall_timeout, self._settings.max_bytes)
        if len(inputs) == 1 and inputs[0].suffix == f".{options.format}" and not options.clip:
            self._tools.storage.expect(inputs[0])  # read and synced while ffprobe looks at it
        growing = media.unfinished_result(self.work_dir, options.format)
        try:
            async with sent_ahead(self._tools.storage, growing, options.format, found.title, self.fence):
                result = await media.convert(inputs, self.work_dir, options, self.reporter.converted, limits)
                await self.reporter.enter(Stage.VERIFY)
                facts = await media.verify(result, options, found.duration, kinds, inputs)
        except JobError as error:
            if error.code is Code.BROKEN_FILE:
                fetch_anew(self.work_dir, error, fetched.files)
            raise
        return media_draft(result, facts, options.format, found.title)

    async def _describe(self, found: Media, more: str | None = None) -> None:
        note = more
        if found.playlist_count is not None:
            note = f"That was a playlist of {found.playlist_count}; this is its first entry. {more or ''}"
        await self._surely(
            lambda session: jobs.describe(
                session,
                self.fence,
                title=found.title,
                duration=found.duration,
                media=found.model_dump(mode="json"),
                note=note and note.strip(),
            )
        )

    async def _surely(self, step: Callable[[AsyncSession], Awaitable[None]]) -> None:
        """Write although the database may be away for a while: the work done so far is worth waiting."""
        await self._database.write_surely(step, patience=self._settings.lease)

    async def _limits(self) -> Limits:
        settings = self._settings
        return Limits(
            max_bytes=settings.max_bytes,
            room=await self._tools.room.left_for(self.work_dir),
            wall_clock=settings.download_timeout,
            no_progress=settings.stall_timeout,
            allowed_addresses=settings.allowed_addresses,
            playlist_limit=settings.playlist_limit,
        )

    def _cookies(self) -> Path | None:
        """A private copy: yt-dlp writes the file back when it closes."""
        try:
            cookies = self._settings.read_cookies()
        except ConfigError as error:  # the file was there when the worker started
            raise JobError(Code.INTERNAL, str(error)) from error
        if cookies is None:
            return None
        copy = self.work_dir / "cookies.txt"
        copy.touch(mode=0o600)
        copy.write_bytes(cookies)
        return copy


def _refuse_impossible(found: Media, options: Options) -> None:
    """Say no before a byte is fetched."""
    if options.clip and found.duration and options.clip.start >= found.duration:
        raise JobError(Code.CLIP_OUTSIDE, f"starts at {options.clip.start} of {found.duration}")


async def _length(files: Sequence[StreamFile]) -> float | None:
    """How long the media is by its files, in seconds, where the site does not say."""
    infos = await media.inspect_all([Path(file.path) for file in files])
    return max((info.duration for info in infos if info.duration), default=None)
