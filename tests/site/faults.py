"""What can go wrong with a download, on request. The README lists the addresses."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse

from tests.site.big import parse_size
from tests.site.files import Ledger, Library, QuickFile, media_type, playlist_response

BLOCK = 64 * 1024


async def slowly(path: Path, start: int, end: int, rate: int | None) -> AsyncIterator[bytes]:
    """The bytes from `start` to `end`, at `rate` bytes a second or as fast as they go."""
    block = max(1, rate // 10) if rate else BLOCK
    with path.open("rb") as file:
        file.seek(start)
        while start < end and (data := file.read(min(block, end - start))):
            yield data
            start += len(data)
            if rate:
                await asyncio.sleep(len(data) / rate)


def ranged(request: Request, path: Path, body_end: int, total: int, rate: int | None = None) -> Response:
    """A file whose body ends at `body_end` while the headers promise `total` bytes; open ranges are honoured.

    The server closes the connection when the body ends before the promised length.
    """
    unit, _, wanted = request.headers.get("range", "").partition("=")
    first, _, last = wanted.partition("-")
    start = int(first) if unit == "bytes" and first else 0
    stop = min(int(last) + 1, total) if unit == "bytes" and first and last else total
    if start >= total:
        return Response(status_code=416, headers={"content-range": f"bytes */{total}"})
    headers = {"accept-ranges": "bytes", "content-length": str(stop - start)}
    if unit == "bytes" and first:
        headers["content-range"] = f"bytes {start}-{stop - 1}/{total}"
    body = slowly(path, start, min(stop, body_end), rate)
    status = 206 if "content-range" in headers else 200
    return StreamingResponse(body, status, headers, media_type(path))


def number(query: QueryParams, name: str, default: int) -> int:
    """A whole number of the query."""
    return int(query.get(name, default))


class Faults:
    """Endpoints under /fault/<kind>/<path of a file>, and redirects."""

    def __init__(self, library: Library, ledger: Ledger) -> None:
        self._library = library
        self._ledger = ledger

    def _file(self, request: Request) -> Path:
        return self._library.find(request.path_params["path"])

    async def status(self, request: Request) -> Response:
        """An HTTP status for the first `times` requests (default all), with `retry_after` seconds."""
        if not self._ledger.shows_fault(request, default_times=None):
            path = self._file(request)
            return QuickFile(path, media_type=media_type(path))
        seconds = request.query_params.get("retry_after")
        headers = {"retry-after": seconds} if seconds else None
        return PlainTextResponse("as you wished", request.path_params["code"], headers)

    async def cut(self, request: Request) -> Response:
        """Close the connection after `at` bytes, for the first `times` requests (default 1)."""
        path = self._file(request)
        size = path.stat().st_size
        at = number(request.query_params, "at", size // 2)
        cut = self._ledger.shows_fault(request, default_times=1)
        return ranged(request, path, at if cut else size, size)

    async def trickle(self, request: Request) -> Response:
        """Send at `rate` bytes a second."""
        path = self._file(request)
        size = path.stat().st_size
        return ranged(request, path, size, size, number(request.query_params, "rate", 10_000))

    async def length(self, request: Request) -> Response:
        """Claim `claim` bytes: fewer than there are truncates the file, more closes the connection early."""
        path = self._file(request)
        size = path.stat().st_size
        return ranged(request, path, size, number(request.query_params, "claim", size * 2))

    async def norange(self, request: Request) -> Response:
        """Ignore Range: always the whole file with 200."""
        path = self._file(request)
        headers = {"content-length": str(path.stat().st_size)}
        return StreamingResponse(
            slowly(path, 0, path.stat().st_size, None), 200, headers, media_type=media_type(path)
        )

    async def stall(self, request: Request) -> Response:
        """Send the headers and `after` bytes (default 0), then nothing more."""
        path = self._file(request)

        async def body() -> AsyncIterator[bytes]:
            async for data in slowly(path, 0, number(request.query_params, "after", 0), None):
                yield data
            await asyncio.Event().wait()

        headers = {"content-length": str(path.stat().st_size)}
        return StreamingResponse(body(), 200, headers, media_type=media_type(path))

    async def hang(self, request: Request) -> Response:
        """Answer nothing at all until the client leaves."""
        return await hang(request)

    async def html(self, request: Request) -> Response:
        """A web page in place of the file; `type` lies about it."""
        page = "<!doctype html><title>Please sign in</title><p>This is not the video.</p>"
        return HTMLResponse(page, media_type=request.query_params.get("type", "text/html"))

    async def empty(self, request: Request) -> Response:
        """A file of no bytes."""
        return Response(media_type="video/mp4")

    async def endless(self, request: Request) -> Response:
        """An mp4 of unknown length that never ends, at `rate` bytes a second (default 50 million)."""
        head = self._library.root / "big" / "clip.mp4"
        rate = number(request.query_params, "rate", 50_000_000)

        async def body() -> AsyncIterator[bytes]:
            yield head.read_bytes()
            while True:
                yield bytes(max(1, rate // 10))
                await asyncio.sleep(0.1)

        return StreamingResponse(body(), media_type="video/mp4")

    async def endless_playlist(self, request: Request) -> Response:
        """A finished HLS playlist of `segments` segments (default 100 000), each of `size` (default 1MB)."""
        count = number(request.query_params, "segments", 100_000)
        size = request.query_params.get("size", "1MB")
        head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        lines = "".join(f"#EXTINF:2.0,\n/endless/{part}.ts?size={size}\n" for part in range(count))
        return playlist_response(f"{head}{lines}#EXT-X-ENDLIST\n")

    async def live_playlist(self, request: Request) -> Response:
        """An HLS playlist of a broadcast that has not ended."""
        head = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:100\n"
        return playlist_response(head + "".join(f"#EXTINF:1.0,\n/hls60/{part}.ts\n" for part in range(5)))

    async def live_manifest(self, request: Request) -> Response:
        """A DASH manifest of a broadcast that has not ended; what it names is under /dash/."""
        text = (self._library.root / "dash" / "manifest.mpd").read_text()
        text = text.replace('type="static"', 'type="dynamic"').replace(
            'mediaPresentationDuration="PT12.0S"', ""
        )
        text = text.replace("<Period", "<BaseURL>/dash/</BaseURL><Period", 1)
        return Response(text, media_type="application/dash+xml")

    async def endless_segment(self, request: Request) -> Response:
        """A short real segment, filled up to `size` with empty transport packets."""
        real = (self._library.root / "hls60" / "0.ts").read_bytes()
        size = parse_size(request.query_params.get("size", "1MB"))
        empty = b"\x47\x1f\xff\x10" + b"\xff" * 184
        return Response(real + empty * ((size - len(real)) // len(empty)), media_type="video/mp2t")

    async def redirect(self, request: Request) -> Response:
        """Send the client to `to` with `code` (default 302)."""
        if "to" not in request.query_params:
            raise HTTPException(400, "where to?")
        return RedirectResponse(request.query_params["to"], number(request.query_params, "code", 302))

    async def redirect_loop(self, request: Request) -> Response:
        """Send the client here again."""
        return RedirectResponse(request.url.path, 302)


async def hang(request: Request) -> Response:
    """Wait until the client leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
    return Response()
