"""From a finished file in the work folder to an artifact: names, types, and the move into storage."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from shared.filenames import safe_file_name
from shared.ids import new_id
from shared.jobs import Fence
from shared.models import Artifact, ArtifactKind
from shared.options import CaptionFormat, MediaFormat
from shared.storage import Label, Storage, StoredFile
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
    "md": "text/markdown; charset=utf-8",
    "jpg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "gif": "image/gif",
    "avif": "image/avif",
    "json": "application/json",
}


SHOWN = (CaptionFormat.SRT, CaptionFormat.VTT)  # in a player; the others are to be read


@dataclass(frozen=True)
class Draft:
    """A verified file that is about to be stored. `duration` in seconds, `height` in pixels.

    `height` is the shorter side, which people call a quality by.
    `passages`: a file with what can be searched in of a transcript.
    """

    kind: ArtifactKind
    path: Path
    format: str
    file_name: str
    language: str | None = None
    source: str | None = None
    height: int | None = None
    duration: float | None = None
    passages: Path | None = None


def media_draft(path: Path, facts: MediaInfo, wanted: MediaFormat, title: str) -> Draft:
    """The video or audio itself; says what it really is, whatever it was called where it came from."""
    video = facts.of(Kind.VIDEO)
    sides = [side for stream in video[:1] for side in (stream.width, stream.height) if side]
    form = media_format(facts, wanted)
    return Draft(
        kind=ArtifactKind.VIDEO if video else ArtifactKind.AUDIO,
        path=path,
        format=form,
        file_name=safe_file_name(title, form),
        height=min(sides, default=None),
        duration=facts.duration,
    )


def media_format(facts: MediaInfo, wanted: MediaFormat) -> MediaFormat:
    """What a verified file is: what was asked for, but webm passes as mkv, and sound alone as mp4."""
    if wanted is MediaFormat.MKV and facts.container == "webm":
        return MediaFormat.WEBM
    if wanted is MediaFormat.MP4 and not facts.of(Kind.VIDEO):
        return MediaFormat.MP3 if facts.container == "mp3" else MediaFormat.M4A
    return wanted


def caption_draft(path: Path, form: CaptionFormat, track: CaptionFile, title: str) -> Draft:
    """One transcript file."""
    return Draft(
        kind=ArtifactKind.CAPTIONS if form in SHOWN else ArtifactKind.TRANSCRIPT,
        path=path,
        format=form,
        file_name=safe_file_name(title, f"{track.language}.{form}"),
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


# Matroska, WebM, MP3 and WAV end with a change of their first kilobyte. In an mp4 or m4a everything moves, as
# its index goes to the front.
GROWING = (MediaFormat.MKV, MediaFormat.WEBM, MediaFormat.MP3, MediaFormat.WAV)


def sent_ahead(
    storage: Storage, path: Path, form: MediaFormat, title: str, fence: Fence
) -> AbstractAsyncContextManager[None]:
    """While the block makes the media at `path`, send it already, where its format allows.

    Only of the first attempt: a later one goes on with what there is.
    """
    if form not in GROWING or fence.attempt > 1:
        return nullcontext()
    kind = ArtifactKind.AUDIO if form.is_audio else ArtifactKind.VIDEO
    draft = Draft(kind, path, form, safe_file_name(title, form))
    return storage.ahead(storage_key(draft, 0, fence), path, label=_label(draft, fence))


async def store_all(
    drafts: Sequence[Draft],
    fence: Fence,
    storage: Storage,
    progress: Callable[[float], None] | None = None,
) -> list[Artifact]:
    """Move the files into storage, the big ones last; returns the artifacts in the order of the drafts.

    What goes wrong with a small file then leaves the big one in the work folder for the next attempt.
    `progress` hears from a slow storage which share of all bytes is there.
    """
    cut_short = await storage.unfinished(f"{fence.job_id}/") if fence.attempt > 1 else []
    shares = Shares(drafts, progress)
    artifacts: list[Artifact] = []
    for number in reversed(range(len(drafts))):
        draft = drafts[number]
        stored = await storage.put(
            storage_key(draft, number, fence, cut_short),
            draft.path,
            label=_label(draft, fence),
            progress=shares.of(number),
        )
        artifacts.insert(0, _artifact(draft, stored, fence))
    for artifact in artifacts:  # a job's files are shown in the order of their ids
        artifact.id = new_id()
    return artifacts


def storage_key(draft: Draft, number: int, fence: Fence, cut_short: Sequence[str] = ()) -> str:
    """The key names the attempt, so that a stale one overwrites nothing, and holds no word of a site.

    What an earlier attempt began to store is gone on with, under the key that it has there.
    """
    name = f"{number}.{draft.kind}.{draft.format}"
    for key in cut_short:
        if key.partition(".")[2] == name:
            return key
    return f"{fence.job_id}/{fence.attempt}.{name}"


class Shares:
    """How far several files are together, by their bytes."""

    def __init__(self, drafts: Sequence[Draft], progress: Callable[[float], None] | None) -> None:
        self._progress = progress
        self._sizes = [_size(draft.path) for draft in drafts] if progress else []
        self._done = [0.0] * len(drafts)

    def of(self, number: int) -> Callable[[float], None] | None:
        """What one file's own share is told to."""
        return partial(self._tell, number) if self._progress and sum(self._sizes) else None

    def _tell(self, number: int, share: float) -> None:
        self._done[number] = share * self._sizes[number]
        if self._progress:
            self._progress(sum(self._done) / sum(self._sizes))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # storing it will say what is wrong
        return 0


def _label(draft: Draft, fence: Fence) -> Label:
    tags = {"job": str(fence.job_id), "kind": str(draft.kind)}
    return Label(content_type=content_type(draft), file_name=draft.file_name, tags=tags)


def _artifact(draft: Draft, stored: StoredFile, fence: Fence) -> Artifact:
    return Artifact(
        job_id=fence.job_id,
        kind=draft.kind,
        format=draft.format,
        language=draft.language,
        source=draft.source,
        file_name=draft.file_name,
        content_type=content_type(draft),
        storage_key=stored.key,
        size=stored.size,
        sha256=stored.sha256,
        height=draft.height,
        duration=draft.duration,
    )


def content_type(draft: Draft) -> str:
    """The media type by format; a container of pictures that holds sound alone is audio."""
    found = CONTENT_TYPES.get(draft.format, "application/octet-stream")
    return found.replace("video/", "audio/") if draft.kind is ArtifactKind.AUDIO else found
