"""From a finished file in the work folder to an artifact: names, types, and the move into storage."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from shared.filenames import safe_file_name
from shared.jobs import Fence
from shared.models import Artifact, ArtifactKind
from shared.options import CaptionFormat
from shared.storage import Storage
from worker.child.protocol import CaptionFile
from worker.media import Kind, MediaInfo

CONTENT_TYPES = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "wav": "audio/wav",
    "srt": "application/x-subrip",
    "vtt": "text/vtt; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "json": "application/json",
}


@dataclass(frozen=True)
class Draft:
    """A verified file that is about to be stored. `duration` in seconds, `height` in pixels."""

    kind: ArtifactKind
    path: Path
    format: str
    file_name: str
    language: str | None = None
    source: str | None = None
    height: int | None = None
    duration: float | None = None


def media_draft(path: Path, facts: MediaInfo, title: str) -> Draft:
    """The video or audio itself; says what it really is, not what was asked for."""
    video = facts.of(Kind.VIDEO)
    extension = path.suffix.lstrip(".").lower()
    return Draft(
        kind=ArtifactKind.VIDEO if video else ArtifactKind.AUDIO,
        path=path,
        format=extension,
        file_name=safe_file_name(title, extension),
        height=video[0].height if video else None,
        duration=facts.duration,
    )


def caption_draft(folder: Path, text: str, wanted: CaptionFormat, track: CaptionFile, title: str) -> Draft:
    """One transcript file, written into the folder."""
    path = folder / f"out.{track.source}.{track.language}.{wanted}"
    path.write_text(text, encoding="utf-8", newline="")
    return Draft(
        kind=ArtifactKind.TRANSCRIPT if wanted is CaptionFormat.TXT else ArtifactKind.CAPTIONS,
        path=path,
        format=wanted,
        file_name=safe_file_name(title, f"{track.language}.{wanted}"),
        language=track.language,
        source=track.source,
    )


def side_draft(path: Path, title: str) -> Draft:
    """The thumbnail or the info JSON."""
    extension = path.suffix.lstrip(".").lower().replace("jpeg", "jpg")
    is_info = extension == "json"
    return Draft(
        kind=ArtifactKind.INFO if is_info else ArtifactKind.THUMBNAIL,
        path=path,
        format=extension,
        file_name=safe_file_name(title, "info.json" if is_info else extension),
    )


async def to_artifact(draft: Draft, fence: Fence, storage: Storage, retention: int) -> Artifact:
    """Move the file into storage. The key names the attempt, so that a stale one overwrites nothing."""
    suffix = f".{draft.language}.{draft.source}" if draft.language else ""
    stored = await storage.put(
        f"{fence.job_id}/{fence.attempt}.{draft.kind}{suffix}.{draft.format}", draft.path
    )
    return Artifact(
        job_id=fence.job_id,
        kind=draft.kind,
        format=draft.format,
        language=draft.language,
        source=draft.source,
        file_name=draft.file_name,
        content_type=CONTENT_TYPES.get(draft.format, "application/octet-stream"),
        storage_key=stored.key,
        size=stored.size,
        sha256=stored.sha256,
        height=draft.height,
        duration=draft.duration,
        expires_at=datetime.now(UTC) + timedelta(seconds=retention),
    )
