"""Which files the site has, how they are sent, and what has been counted."""

import json
import mimetypes
import os
import re
import tempfile
from collections import Counter
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from tests.site.big import make_big, parse_size
from tests.site.speech import Times

FOLDERS = {"media": "media", "hls": "hls", "hls60": "hls60", "dash": "dash", "tube/media": "tube"}
TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".m4a": "audio/mp4",
    ".m4s": "video/iso.segment",
    ".mpd": "application/dash+xml",
    ".srt": "application/x-subrip",
    ".ts": "video/mp2t",
    ".vtt": "text/vtt",
    ".webp": "image/webp",
}


class Ledger:
    """What was asked for and sent since the start or the last `reset`."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.bytes_sent = 0
        self._faults: Counter[str] = Counter()

    def reset(self) -> None:
        """Forget everything, the faults already shown included."""
        self.requests.clear()
        self._faults.clear()
        self.bytes_sent = 0

    def shows_fault(self, request: Request, default_times: int | None) -> bool:
        """Whether this request still gets its fault: the first `times` for each path and `token` do.

        Without `times`, `default_times` counts; None means every request.
        """
        wanted = request.query_params.get("times")
        times = int(wanted) if wanted else default_times
        key = f"{request.url.path} {request.query_params.get('token', '')}"
        return times is None or self.first_times(key, times)

    def first_times(self, key: str, times: int) -> bool:
        """Whether this is among the first `times` calls with `key`."""
        self._faults[key] += 1
        return self._faults[key] <= times


class QuickFile(FileResponse):
    """A file in blocks large enough for loopback."""

    chunk_size = 1024 * 1024


class Library:
    """The built media, found by the path they have on the site."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.times: Times = json.loads((root / "times.json").read_text())

    def find(self, path: str) -> Path:
        """The file behind a path like `media/sample.mp4` or `big/30MB.mp4`; HTTPException 404 for others."""
        folder, _, name = path.strip("/").rpartition("/")
        if folder == "big":
            return self._big(name)
        if folder not in FOLDERS or not (self.root / FOLDERS[folder] / name).is_file():
            raise HTTPException(404)
        return self.root / FOLDERS[folder] / name

    def _big(self, name: str) -> Path:
        try:
            size = parse_size(name)
        except ValueError as error:
            raise HTTPException(404) from error
        target = self.root / "big" / f"{size}.mp4"
        if not target.exists():
            handle, fresh = tempfile.mkstemp(dir=self.root / "big")
            os.close(handle)
            make_big(self.root / "big" / "clip.mp4", Path(fresh), size)
            Path(fresh).rename(target)
        return target


def media_type(path: Path) -> str:
    """The Content-Type of a file by its name."""
    return TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"


class Files:
    """Endpoints for plain files and playlists."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def file(self, request: Request) -> Response:
        """Any file, with HEAD, Range (206, 416), ETag; `?missing=N` makes segment N a 404."""
        path = self._library.find(request.url.path)
        number = re.search(r"(\d+)\.(?:ts|m4s|vtt)$", path.name)
        if number and number[1] == request.query_params.get("missing"):
            raise HTTPException(404)
        return QuickFile(path, media_type=media_type(path))

    async def playlist(self, request: Request) -> Response:
        """An HLS playlist; its own query goes into every address it names."""
        path = self._library.find(request.url.path)
        return playlist_response(with_query(path.read_text(), request.url.query))


def playlist_response(text: str) -> Response:
    """An HLS playlist."""
    return PlainTextResponse(text, media_type=TYPES[".m3u8"])


def with_query(playlist: str, query: str) -> str:
    """Append a query to every relative address in an HLS playlist."""
    if not query:
        return playlist
    tagged = re.sub(r'URI="([^"]+)"', lambda found: f'URI="{found[1]}?{query}"', playlist)
    return re.sub(r"(?m)^([^#\n]+)$", lambda found: f"{found[1]}?{query}", tagged)
