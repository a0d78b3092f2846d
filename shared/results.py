"""What a job looks like from outside: one value for the API, the command line and every chat message."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.links import Links
from shared.models import Artifact, ArtifactKind, Job, JobState, Stage
from shared.options import Frozen
from shared.settings import Settings
from shared.storage import Disposition

INLINE = (ArtifactKind.VIDEO, ArtifactKind.AUDIO, ArtifactKind.THUMBNAIL)


class ArtifactView(Frozen):
    """One file of a finished job and its signed link. `url` is None once the file is gone."""

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


class ErrorView(Frozen):
    """Why a job failed, or failed last time: a code for programs, a message for people."""

    code: str
    message: str


class JobView(Frozen):
    """Where a job is, or what came of it. `progress` has the fields of a download's; times in seconds."""

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
    error: ErrorView | None


class Results:
    """Makes views: signs a fresh link for every file that is still there."""

    def __init__(self, settings: Settings, links: Links) -> None:
        self._settings = settings
        self._links = links

    def view(self, job: Job, position: int | None = None, starts_in: float | None = None) -> JobView:
        """A job whose artifacts are loaded, as people and programs see it now."""
        now = datetime.now(UTC)
        waits = job.state is JobState.QUEUED and job.run_after is not None
        return JobView(
            job_id=job.id,
            state=job.state,
            stage=job.stage if job.state is JobState.RUNNING else None,
            progress=job.progress if job.state is JobState.RUNNING else None,
            position=position if job.state is JobState.QUEUED else None,
            starts_in=starts_in if job.state is JobState.QUEUED else None,
            retry_in=max(0.0, (job.run_after - now).total_seconds()) if waits and job.run_after else None,
            title=job.title,
            duration_seconds=job.duration,
            note=job.note,
            artifacts=tuple(self._artifact(artifact, now) for artifact in job.artifacts),
            error=self._error(job),
        )

    def _artifact(self, artifact: Artifact, now: datetime) -> ArtifactView:
        return ArtifactView(
            kind=artifact.kind,
            format=artifact.format,
            language=artifact.language,
            source=artifact.source,
            height=artifact.height,
            duration_seconds=artifact.duration,
            file_name=artifact.file_name,
            size_bytes=artifact.size,
            sha256=artifact.sha256,
            url=self._url(artifact, now),
        )

    def _url(self, artifact: Artifact, now: datetime) -> str | None:
        left = int((artifact.expires_at - now).total_seconds())
        if artifact.deleted_at or artifact.revoked_at or left <= 0:
            return None
        disposition: Disposition = "inline" if artifact.kind in INLINE else "attachment"
        lives = min(self._settings.link_ttl, left)
        base = self._settings.effective_public_url
        return self._links.url(base, artifact.id, artifact.file_name, lives, disposition)

    @staticmethod
    def _error(job: Job) -> ErrorView | None:
        if job.error_code is None or job.state is JobState.DONE:
            return None
        return ErrorView(code=job.error_code, message=job.error_message or "")
