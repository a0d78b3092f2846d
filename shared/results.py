"""What a job looks like from outside: one value for the API, the command line and every chat message."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from math import inf
from typing import Any, NamedTuple
from uuid import UUID

from shared.errors import FAILURES, Code, JobError, Retry
from shared.links import Links
from shared.models import Artifact, ArtifactKind, Job, JobState, Stage
from shared.options import Frozen
from shared.settings import Settings
from shared.storage import Disposition

WATCHABLE = (ArtifactKind.VIDEO, ArtifactKind.AUDIO, ArtifactKind.CAPTIONS, ArtifactKind.TRANSCRIPT)
INLINE = (ArtifactKind.VIDEO, ArtifactKind.AUDIO, ArtifactKind.THUMBNAIL)


class ArtifactView(Frozen):
    """One file of a finished job and its signed links: `url` shows what a browser can show, `download_url`
    saves it. Both live until `expires_at`, and are None once the file is gone."""

    id: UUID
    kind: ArtifactKind
    format: str
    language: str | None
    source: str | None
    height: int | None
    duration_seconds: float | None
    file_name: str
    size_bytes: int
    sha256: str
    url: str | None
    download_url: str | None
    expires_at: datetime | None


class ErrorView(Frozen):
    """Why a job failed, or failed last time: a code for programs, a message for people.

    `is_passing`: the same link may well work later.
    """

    code: str
    message: str
    is_passing: bool


class Height(Frozen):
    """One height in pixels that the site has; `size_bytes` is an estimate, None where nobody knows."""

    height: int
    size_bytes: int | None


class Offers(Frozen):
    """What a link offers, tallest first. `captions` and `automatic_captions` are language codes."""

    heights: tuple[Height, ...]
    has_audio: bool
    captions: tuple[str, ...]
    automatic_captions: tuple[str, ...]


class JobView(Frozen):
    """Where a job is, or what came of it. `progress` has the fields of a download's; times in seconds.

    `obstacle` says why nobody takes a queued one. `offers` is there once a job that was only to look at the
    link has done so. `watch_url` is the page that plays a done job beside its transcript, as long as there is
    something to play or to read.
    """

    job_id: UUID
    state: JobState
    stage: Stage | None
    progress: dict[str, Any] | None
    position: int | None
    starts_in: float | None
    retry_in: float | None
    title: str | None
    duration_seconds: float | None
    note: str | None
    artifacts: tuple[ArtifactView, ...]
    offers: Offers | None
    error: ErrorView | None
    watch_url: str | None = None
    site: str = ""
    obstacle: str | None = None

    @property
    def name(self) -> str:
        """What people call it: the title, or the site while nobody knows any."""
        return self.title or self.site or "untitled"


class Chapter(NamedTuple):
    """A part of the video; `start` in seconds."""

    start: float
    title: str


class Results:
    """Makes views: signs a fresh link for every file that is still there.

    The links are ours also where a bucket has the files: ours can be revoked, end with the file's retention,
    and lead to a presigned link made for that very click. One in a chat for a day would end with the
    credentials that signed it. `links_end` says when even ours will lead nowhere (`Storage.links_end`).
    """

    def __init__(
        self, settings: Settings, links: Links, links_end: Callable[[], datetime | None] = lambda: None
    ) -> None:
        self._settings = settings
        self._links = links
        self._links_end = links_end

    def view(
        self, job: Job, position: int | None = None, starts_in: float | None = None, *, has_room: bool = True
    ) -> JobView:
        """A job whose artifacts are loaded, as people and programs see it now.

        `has_room` is False while every worker waits for room on its disk.
        """
        now = datetime.now(UTC)
        waits = job.state is JobState.QUEUED and job.run_after is not None
        is_stuck = job.state is JobState.QUEUED and not waits and not has_room
        return JobView(
            job_id=job.id,
            state=job.state,
            stage=job.stage if job.state is JobState.RUNNING else None,
            progress=job.progress if job.state is JobState.RUNNING else None,
            position=position if job.state is JobState.QUEUED else None,
            starts_in=starts_in if job.state is JobState.QUEUED and not is_stuck else None,
            retry_in=max(0.0, (job.run_after - now).total_seconds()) if waits and job.run_after else None,
            site=job.site,
            title=job.title,
            duration_seconds=job.duration,
            note=job.note,
            artifacts=tuple(self._artifact(artifact, now) for artifact in job.artifacts),
            offers=self._offers(job),
            error=self._error(job),
            watch_url=self._watch_url(job, now),
            obstacle=JobError(Code.DISK_FULL).message if is_stuck else None,
        )

    def _artifact(self, artifact: Artifact, now: datetime) -> ArtifactView:
        lives = self._lives(artifact, now)
        shown: Disposition = "inline" if artifact.kind in INLINE else "attachment"
        return ArtifactView(
            id=artifact.id,
            kind=artifact.kind,
            format=artifact.format,
            language=artifact.language,
            source=artifact.source,
            height=artifact.height,
            duration_seconds=artifact.duration,
            file_name=artifact.file_name,
            size_bytes=artifact.size,
            sha256=artifact.sha256,
            url=self._url(artifact, lives, shown) if lives else None,
            download_url=self._url(artifact, lives, "attachment") if lives else None,
            expires_at=now + timedelta(seconds=lives) if lives else None,
        )

    def _lives(self, artifact: Artifact, now: datetime) -> int:
        """Seconds that a link to it lives from now on; 0 when the file is gone."""
        end = min(artifact.expires_at, self._links_end() or artifact.expires_at)
        left = int((end - now).total_seconds())
        if artifact.deleted_at or artifact.revoked_at or left <= 0:
            return 0
        return min(self._settings.link_ttl, left)

    def _url(self, artifact: Artifact, lives: int, disposition: Disposition) -> str:
        base = self._settings.effective_public_url
        return self._links.url(base, artifact.id, artifact.file_name, lives, disposition)

    def _watch_url(self, job: Job, now: datetime) -> str | None:
        if job.state is not JobState.DONE:
            return None
        shown = [artifact for artifact in job.artifacts if artifact.kind in WATCHABLE]
        lives = max((self._lives(artifact, now) for artifact in shown), default=0)
        base = self._settings.effective_public_url
        return self._links.watch_url(base, job.id, lives) if lives else None

    @staticmethod
    def _error(job: Job) -> ErrorView | None:
        if job.error_code is None or job.state is JobState.DONE:
            return None
        return error_view(job.error_code, job.error_message or "")

    @staticmethod
    def _offers(job: Job) -> Offers | None:
        if job.state is not JobState.DONE or not job.options.get("probe_only") or job.media is None:
            return None
        media = job.media
        heights = tuple(Height(height=offer["height"], size_bytes=offer["size"]) for offer in media["offers"])
        return Offers(
            heights=tuple(sorted(heights, key=lambda offer: -offer.height)),
            has_audio=media["has_audio"],
            captions=tuple(media["captions"]),
            automatic_captions=tuple(media["automatic_captions"]),
        )


def chapters_of(job: Job) -> tuple[Chapter, ...]:
    """The chapters that a probe found; of a clip those within it, counted from where it starts."""
    clip: dict[str, float] = job.options.get("clip") or {"start": 0.0, "end": inf}
    found = (job.media or {}).get("chapters") or ()
    kept = (each for each in found if each["start"] < clip["end"] and each["end"] > clip["start"])
    return tuple(Chapter(max(0.0, each["start"] - clip["start"]), each["title"]) for each in kept)


def error_view(code: Code, message: str) -> ErrorView:
    """What went wrong, and whether it may work later."""
    return ErrorView(code=code, message=message, is_passing=FAILURES[code].retry is not Retry.NEVER)
