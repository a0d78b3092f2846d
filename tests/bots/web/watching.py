"""Jobs to watch: rows and stored files as a worker leaves them, without the work."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from linkferry.compose import Parts
from shared.ids import new_id
from shared.models import Artifact, ArtifactKind, Job, JobState
from worker.artifacts import CONTENT_TYPES
from worker.captions.cues import Cue, Part, Transcript
from worker.captions.prose import write_txt
from worker.captions.writers import write_srt, write_vtt

WRITERS = {"vtt": write_vtt, "srt": write_srt, "txt": write_txt}
DAY = timedelta(days=1)


@dataclass(frozen=True)
class File:
    """A file of a job."""

    kind: str
    format: str
    content: bytes
    more: dict[str, Any] = field(default_factory=dict)


def spoken(
    language: str | None,
    texts: Sequence[str],
    formats: Sequence[str] = ("srt", "vtt", "txt"),
    *,
    step: float = 5,
    source: str = "manual",
    chapters: Sequence[Part] = (),
    speakers: Sequence[str | None] = (),
) -> list[File]:
    """A transcript with one cue every `step` seconds, in files that the worker's own writers make."""
    who = [*speakers, *[None] * len(texts)]
    cues = [
        Cue(round(number * step * 1000), round((number + 0.9) * step * 1000), text, who[number])
        for number, text in enumerate(texts)
    ]
    more = {"language": language, "source": source}
    transcript = Transcript(cues, chapters, language)
    return [
        File("transcript" if form == "txt" else "captions", form, WRITERS[form](transcript).encode(), more)
        for form in formats
    ]


async def add_job(
    parts: Parts, files: Sequence[File], *, expires_in: timedelta = 7 * DAY, **columns: Any
) -> UUID:
    """A finished job with these files, stored."""
    job = Job(
        id=new_id(),
        link="https://video.example/watch/1",
        **{
            "site": "video.example",
            "user_key": "test",
            "options": {},
            "state": JobState.DONE,
            "title": "A film",
            **columns,
        },
    )
    expires_at = datetime.now(UTC) + expires_in
    rows = [_artifact(job.id, number, file, expires_at) for number, file in enumerate(files)]
    for row, file in zip(rows, files, strict=True):
        source = parts.settings.data_dir / "new"
        source.write_bytes(file.content)
        await parts.storage.put(row.storage_key, source)
    async with parts.database.write() as session:
        session.add(job)
        await session.flush()
        session.add_all(rows)
    return job.id


def _artifact(job_id: UUID, number: int, file: File, expires_at: datetime) -> Artifact:
    return Artifact(
        id=new_id(),
        job_id=job_id,
        kind=ArtifactKind(file.kind),
        format=file.format,
        file_name=f"A film.{file.format}",
        content_type=CONTENT_TYPES[file.format],
        storage_key=f"{job_id}/1.{number}.{file.kind}.{file.format}",
        size=len(file.content),
        sha256=sha256(file.content).hexdigest(),
        expires_at=expires_at,
        **file.more,
    )


def page_path(parts: Parts, job_id: UUID, ttl: int = 3600) -> str:
    """The path of a job's watch page."""
    return urlsplit(parts.links.watch_url("http://host", job_id, ttl)).path


def stored(parts: Parts, path: str) -> Path:
    """Where a stored file lies."""
    found = parts.storage.path(path)
    assert found
    return found
