"""Which file of a result goes into the message, and as what; and the files that Telegram has already."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from uuid import UUID

from sqlalchemy import delete, select

from shared.chat.files import PLAYED, main_artifact, written
from shared.chat.telegram import PLATFORM
from shared.chat.telegram.markup import MAX_TEXT
from shared.database import Database, upsert
from shared.errors import JobError
from shared.models import Artifact, ArtifactKind, Upload, table
from shared.options import CaptionFormat, MediaFormat
from shared.results import ArtifactView, JobView
from shared.storage import Storage, StorageError

MOST_THUMBNAIL = 20_000_000  # bytes of a picture that is worth making small
MOST_QUOTED = 4 * MAX_TEXT  # bytes of a transcript that may be short enough to be quoted
_READ_FIRST: tuple[str, ...] = (CaptionFormat.TXT, CaptionFormat.SRT, CaptionFormat.VTT)


class Kind(StrEnum):
    """As what Telegram shows a file."""

    VIDEO = "video"
    AUDIO = "audio"
    DOCUMENT = "document"


@dataclass(frozen=True)
class Parcel:
    """The file that goes into a message, as what, and what a player shows beside it. `seconds` is its length;
    `thumbnail` is as the site had it."""

    artifact: ArtifactView
    kind: Kind
    title: str = ""
    seconds: float | None = None
    thumbnail: ArtifactView | None = None


def parcel_of(view: JobView) -> Parcel | None:
    """The film or the sound, else the transcript that is easiest to read; None when nothing is kept."""
    main = main_artifact(view)
    if main is None:
        return None
    if main.kind not in PLAYED:
        return Parcel(min(written(view), key=_reading_order), Kind.DOCUMENT)
    seconds = main.duration_seconds or view.duration_seconds
    return Parcel(main, _kind(main), view.title or "", seconds, _thumbnail(view))


def _reading_order(artifact: ArtifactView) -> int:
    return _READ_FIRST.index(artifact.format) if artifact.format in _READ_FIRST else len(_READ_FIRST)


def _kind(artifact: ArtifactView) -> Kind:
    """Telegram plays MP4, MP3 and M4A; everything else is a document for it."""
    if artifact.kind is ArtifactKind.VIDEO and artifact.format == MediaFormat.MP4:
        return Kind.VIDEO
    if artifact.kind is ArtifactKind.AUDIO and artifact.format in (MediaFormat.MP3, MediaFormat.M4A):
        return Kind.AUDIO
    return Kind.DOCUMENT


def _thumbnail(view: JobView) -> ArtifactView | None:
    for artifact in view.artifacts:
        if artifact.kind is ArtifactKind.THUMBNAIL and artifact.size_bytes <= MOST_THUMBNAIL:
            return artifact
    return None


class Shelf:
    """The bytes of artifacts, and the ids under which Telegram has them."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage

    @asynccontextmanager
    async def at_hand(self, artifact_id: UUID) -> AsyncIterator[Path]:
        """A file with the artifact's bytes on this machine, as long as the block lasts.

        Raises LookupError for one that is not known any more, otherwise as `Storage.at_hand` does.
        """
        async with self._database.read() as session:
            key = await session.scalar(select(Artifact.storage_key).where(Artifact.id == artifact_id))
        if key is None:
            raise LookupError(f"no artifact {artifact_id}")
        async with self._storage.at_hand(key) as path:
            yield path

    async def text(self, artifact: ArtifactView) -> str:
        """What a transcript reads that may be short enough to be quoted; empty for everything else."""
        if artifact.format != CaptionFormat.TXT or artifact.size_bytes > MOST_QUOTED:
            return ""
        try:
            async with self.at_hand(artifact.id) as path:
                return await asyncio.to_thread(path.read_text, "utf-8", "replace")
        except (LookupError, StorageError, JobError, OSError):
            return ""

    async def known(self, artifact_id: UUID) -> str | None:
        """Telegram's own id of the file, when it has it."""
        async with self._database.read() as session:
            found = await session.get(Upload, (PLATFORM, artifact_id))
        return found.file_id if found else None

    async def remember(self, artifact_id: UUID, file_id: str) -> None:
        """Telegram has the file under this id."""
        async with self._database.write() as session:
            row = upsert(session, table(Upload)).values(
                platform=PLATFORM, artifact_id=artifact_id, file_id=file_id
            )
            await session.execute(
                row.on_conflict_do_update(
                    index_elements=["platform", "artifact_id"], set_={"file_id": file_id}
                )
            )

    async def forget(self, artifact_id: UUID) -> None:
        """Telegram no longer takes the id that we remember."""
        async with self._database.write() as session:
            mine = delete(Upload).where(Upload.platform == PLATFORM, Upload.artifact_id == artifact_id)
            await session.execute(mine)
