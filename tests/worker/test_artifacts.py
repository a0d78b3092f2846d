"""What files are called, and the order in which they reach storage."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.ids import new_id
from shared.jobs import Fence
from shared.models import ArtifactKind
from shared.options import MediaFormat
from shared.storage import StoredFile
from tests.worker.media.conftest import media
from worker.artifacts import Draft, content_type, media_draft, store_all
from worker.media import Kind, MediaInfo, Stream

H264, VP9, AAC, OPUS = "video h264", "video vp9", "audio aac", "audio opus"


@pytest.mark.parametrize(
    ("name", "facts", "wanted", "form", "kind"),
    [
        ("media.0.exe", media("mp4", H264, AAC), "mp4", "mp4", "video/mp4"),
        ("media.0.m4v", media("mp4", H264, AAC), "mp4", "mp4", "video/mp4"),
        ("media.0.mp4", media("mp4", AAC), "m4a", "m4a", "audio/mp4"),
        ("media.0.mp4", media("mp4", AAC), "mp4", "m4a", "audio/mp4"),
        ("media.0.mp3", media("mp3", "audio mp3"), "mp4", "mp3", "audio/mpeg"),
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


@pytest.mark.parametrize(
    ("width", "height", "named"),
    [(1920, 1080, 1080), (1080, 1920, 1080), (None, 480, 480), (None, None, None)],
)
def test_a_video_is_called_by_its_shorter_side(
    width: int | None, height: int | None, named: int | None
) -> None:
    facts = media("mp4", streams=(Stream(0, Kind.VIDEO, "h264", width, height),))
    assert media_draft(Path("media.0.mp4"), facts, MediaFormat.MP4, "Film").height == named


class Shelf:
    """A storage that remembers the order."""

    def __init__(self, unfinished: tuple[str, ...] = ()) -> None:
        self.keys: list[str] = []
        self._unfinished = unfinished

    async def unfinished(self, prefix: str) -> list[str]:
        """What a crash left."""
        return [key for key in self._unfinished if key.startswith(prefix)]

    async def put(self, key: str, source: Path, progress: Callable[[float], None], **_: object) -> StoredFile:
        """Store nothing, in two steps."""
        self.keys.append(key)
        progress(0.5)
        progress(1.0)
        return StoredFile(key=key, size=1, sha256="0" * 64)


def drafts(folder: Path) -> list[Draft]:
    (folder / "a").write_bytes(b"x" * 60)
    (folder / "b").write_bytes(b"x" * 20)
    (folder / "c").write_bytes(b"x" * 20)
    return [
        Draft(ArtifactKind.VIDEO, folder / "a", "mp4", "f.mp4"),
        Draft(ArtifactKind.CAPTIONS, folder / "b", "srt", "f.srt", language="../x", source="manual"),
        Draft(ArtifactKind.CAPTIONS, folder / "c", "srt", "f.srt", language="../x", source="automatic"),
    ]


async def test_small_files_are_stored_first_under_keys_without_a_word_of_the_site(tmp_path: Path) -> None:
    shelf, job = Shelf(), new_id()
    shares: list[float] = []
    artifacts = await store_all(drafts(tmp_path), Fence(job, 3), shelf, shares.append)  # type: ignore[arg-type]
    assert shares == [0.1, 0.2, 0.3, 0.4, 0.7, 1.0]
    assert shelf.keys == [f"{job}/3.2.captions.srt", f"{job}/3.1.captions.srt", f"{job}/3.0.video.mp4"]
    assert [artifact.storage_key for artifact in artifacts] == shelf.keys[::-1]


async def test_what_an_earlier_attempt_began_to_store_is_gone_on_with(tmp_path: Path) -> None:
    job = new_id()
    shelf = Shelf(unfinished=(f"{job}/2.0.video.mp4", f"{job}/1.0.video.mp4", f"{new_id()}/1.1.captions.srt"))
    await store_all(drafts(tmp_path), Fence(job, 3), shelf, [].append)  # type: ignore[arg-type]
    assert shelf.keys == [f"{job}/3.2.captions.srt", f"{job}/3.1.captions.srt", f"{job}/2.0.video.mp4"]
