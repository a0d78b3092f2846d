"""The files that Telegram keeps: what bots uploaded and what people sent, found by file_id."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.telegram.call import Call, Upload
from tests.telegram.refusal import Refused, bad_request

KINDS = ("video", "audio", "document", "photo", "voice", "animation", "video_note", "sticker")
MAX_THUMBNAIL_BYTES = 200_000
# "Telegram clients support MPEG4 videos (other formats may be sent as Document)"; audio: MP3 and M4A.
PLAYABLE = {"video": (".mp4", ".m4v"), "audio": (".mp3", ".m4a")}
MAX_DOWNLOAD_BYTES = 20 * 1024 * 1024  # getFile gives nothing bigger


@dataclass(frozen=True)
class Media:
    """A file as Telegram keeps it. `size` in bytes, `duration` in seconds, 0 when nobody said it."""

    kind: str
    content: bytes
    name: str
    mime: str
    file_id: str
    duration: int = 0
    width: int = 0
    height: int = 0
    title: str = ""
    performer: str = ""
    thumbnail: bytes | None = None

    @property
    def size(self) -> int:
        """Bytes."""
        return len(self.content)

    @property
    def sha256(self) -> str:
        """The digest of the content, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @property
    def unique_id(self) -> str:
        """The id that is the same for the same content."""
        return f"AQ{self.sha256[:14]}"

    def described(self) -> Any:
        """The object in a message: Video, Audio, Document, or the list of PhotoSize."""
        found: dict[str, Any] = {"file_id": self.file_id, "file_unique_id": self.unique_id}
        if self.kind == "photo":
            return [{**found, "width": self.width, "height": self.height, "file_size": self.size}]
        if self.kind in ("video", "animation"):
            found |= {"width": self.width, "height": self.height}
        if self.kind in ("video", "animation", "audio", "voice"):
            found |= {"duration": self.duration}
        names = {"file_name": self.name, "mime_type": self.mime, "title": self.title}
        found |= {name: value for name, value in (names | {"performer": self.performer}).items() if value}
        if self.thumbnail is not None:
            found["thumbnail"] = {
                "file_id": f"{self.file_id}-thumb",
                "file_unique_id": f"{self.unique_id}t",
                "file_size": len(self.thumbnail),
                "width": 320,
                "height": 180,
            }
        return {**found, "file_size": self.size}


class Shelf:
    """Every file, by file_id. `max_upload` in bytes; `local` reads `file://` addresses, as a local server."""

    def __init__(self, *, max_upload: int, local: bool) -> None:
        self.max_upload = max_upload
        self.local = local
        self.uploads = 0  # files that came over the wire; a re-used file_id is none
        self._media: dict[str, Media] = {}

    def __getitem__(self, file_id: str) -> Media:
        if file_id not in self._media:
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        return self._media[file_id]

    def keep(self, kind: str, content: bytes, name: str = "", mime: str = "", **about: Any) -> Media:
        """Put a file on the shelf."""
        file_id = f"{kind[:2].upper()}ACAgQAAx{len(self._media) + 1:06d}"
        media = Media(kind, content, name, mime, file_id, **about)
        self._media[file_id] = media
        return media

    def check_size(self, call: Call) -> None:
        """413, before anything else is looked at, as the proxy before Telegram does."""
        if sum(len(one.content) for one in call.files.values()) > self.max_upload:
            raise Refused(413, "Request Entity Too Large")

    def from_call(self, call: Call, kind: str, given: Any, about: dict[str, Any]) -> Media:
        """The media that a call names: `attach://`, the file in the form, a file_id, or `file://`."""
        upload = self._upload(call, kind, given)
        if upload is None:
            return self._again(kind, str(given or ""))
        if not upload.content:
            raise bad_request("file must be non-empty")
        self.uploads += 1
        if not upload.name.lower().endswith(PLAYABLE.get(kind, "")):
            kind = "document"
        thumbnail = self._upload(call, "thumbnail", about.get("thumbnail"))
        return self.keep(
            kind,
            upload.content,
            upload.name,
            upload.mime,
            duration=int(about.get("duration") or 0),
            width=int(about.get("width") or 0),
            height=int(about.get("height") or 0),
            title=str(about.get("title") or ""),
            performer=str(about.get("performer") or ""),
            thumbnail=thumbnail.content if thumbnail and _is_thumbnail(thumbnail.content) else None,
        )

    def _upload(self, call: Call, field: str, given: Any) -> Upload | None:
        if given is None or given == "":
            return call.files.get(field)
        if str(given).startswith("attach://"):
            name = str(given).removeprefix("attach://")
            if name not in call.files:
                raise bad_request(f'there is no file "{name}" in the request')
            return call.files[name]
        if str(given).startswith("file:"):
            return self._local(str(given))
        return None

    def _local(self, address: str) -> Upload:
        path = Path(unquote(urlsplit(address).path))
        if not self.local or not path.is_file():
            raise bad_request("invalid file HTTP URL specified: URL host is empty")
        if path.stat().st_size > self.max_upload:
            raise Refused(413, "Request Entity Too Large")
        return Upload(path.name, path.read_bytes(), "application/octet-stream")

    def _again(self, kind: str, given: str) -> Media:
        if not given:
            raise bad_request(f"there is no {kind} in the request")
        if given.startswith(("http://", "https://")):
            raise bad_request("failed to get HTTP URL content")
        if given not in self._media:
            raise bad_request("wrong remote file identifier specified: Wrong character in the string")
        media = self._media[given]
        if media.kind != kind:
            raise bad_request(f"can't use file of type {media.kind.title()} as {kind.title()}")
        return media


def _is_thumbnail(content: bytes) -> bool:
    """Telegram drops in silence what is no small JPEG."""
    return content.startswith(b"\xff\xd8\xff") and len(content) < MAX_THUMBNAIL_BYTES
