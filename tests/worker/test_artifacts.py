"""What files are called, and the order in which they reach storage."""

from pathlib import Path

import pytest

from shared.ids import new_id
from shared.jobs import Fence
from shared.models import ArtifactKind
from shared.options import MediaFormat
from shared.storage import StoredFile
from tests.worker.media.conftest import media
from worker.artifacts import Draft, content_type, media_draft, store_all
from worker.media import MediaInfo

H264, VP9, AAC, OPUS = "video h264", "video vp9", "audio aac", "audio opus"


@pytest.mark.parametrize(
    ("name", "facts", "wanted", "form", "kind"),
    [
        ("media.0.exe", media("mp4", H264, AAC), "mp4", "mp4", "video/mp4"),
        ("media.0.m4v", media("mp4", H264, AAC), "mp4", "mp4", "video/mp4"),
        ("media.0.mp4", media("mp4", AAC), "m4a", "m4a", "audio/mp4"),
        ("media.0.mp4", media("mp4", AAC), "mp4", "m4a", "audio/mp4"),
        ("media.0.php", media("webm", VP9, OPUS), "mkv", "webm", "video/webm"),
        ("media.0.webm", media("webm", OPUS), "webm", "webm", "audio/webm"),
        ("result.mkv", media("mkv", H264, AAC), "mkv", "mkv", "video/x-matroska"),
        ("media.0.bin", media("mp3", "audio mp3"), "mp3", "mp3", "audio/mpeg"),
    ],
)
def test_a_file_is_called_by_what_it_is(
    name: str, facts: MediaInfo, wanted: str, form: str, kind: str
) -> None:
    draft = media_draft(Path(name), facts, MediaFormat(wanted), "Film")
    assert (draft.format, draft.file_name, content_type(draft)) == (form, f"Film.{form}", kind)


class Shelf:
    """A storage that remembers the order."""

    def __init__(self) -> None:
        self.keys: list[str] = []

    async def put(self, key: str, source: Path) -> StoredFile:
        """Store nothing."""
        self.keys.append(key)
        return StoredFile(key=key, size=1, sha256="0" * 64)


async def test_small_files_are_stored_first_under_keys_without_a_word_of_the_site() -> None:
    shelf, job = Shelf(), new_id()
    drafts = [
        Draft(ArtifactKind.VIDEO, Path("a"), "mp4", "f.mp4"),
        Draft(ArtifactKind.CAPTIONS, Path("b"), "srt", "f.srt", language="../x", source="manual"),
        Draft(ArtifactKind.CAPTIONS, Path("c"), "srt", "f.srt", language="../x", source="automatic"),
    ]
    artifacts = await store_all(drafts, Fence(job, 3), shelf, 60)  # type: ignore[arg-type]
    assert shelf.keys == [f"{job}/3.2.captions.srt", f"{job}/3.1.captions.srt", f"{job}/3.0.video.mp4"]
    assert [artifact.storage_key for artifact in artifacts] == shelf.keys[::-1]
