"""The thumbnail and the info JSON. Nice to have: a failing thumbnail never spoils a job."""

import json
import logging
from pathlib import Path

from yt_dlp.networking import Request

from shared.errors import Code
from worker.child.abort import TRIPWIRE, Abort
from worker.child.info import public_info
from worker.child.patience import Patience, at_most
from worker.child.ydl import Downloader, Info

log = logging.getLogger("linkferry.child")

MAX_THUMBNAIL = 10 * 1024 * 1024  # bytes
_MAX_TRIES = 4
_HEADS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "jpg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"GIF8", "gif"),
)


def fetch_thumbnail(ydl: Downloader, info: Info, work_dir: Path, patience: Patience) -> Path | None:
    """The best thumbnail that can be fetched in time and is an image, else None."""
    try:
        with at_most(patience.for_one()):
            return _first_image(ydl, info, work_dir)
    except Abort as abort:
        log.info("thumbnail: %s", abort)
        return None


def _first_image(ydl: Downloader, info: Info, work_dir: Path) -> Path | None:
    offered = info.get("thumbnails") or ([{"url": info["thumbnail"]}] if info.get("thumbnail") else [])
    for item in list(offered)[: -_MAX_TRIES - 1 : -1]:
        TRIPWIRE.reset()
        try:
            with ydl.budget.at_most(MAX_THUMBNAIL):
                data = ydl.urlopen(Request(item["url"], headers=item.get("http_headers") or {})).read()
            if extension := image_type(data):
                path = work_dir / f"thumbnail.{extension}"
                path.write_bytes(data)
                return path
        except (Exception, Abort) as error:
            if TRIPWIRE.first is not None and TRIPWIRE.first.code is Code.STALLED:
                raise TRIPWIRE.first from None
            log.info("thumbnail: %s", error)
    return None


def image_type(data: bytes) -> str | None:
    """The file extension for an image's first bytes; None when it is no image we know."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data[4:12] in (b"ftypavif", b"ftypavis"):
        return "avif"
    return next((extension for head, extension in _HEADS if data.startswith(head)), None)


def write_info(info: Info, work_dir: Path) -> Path:
    """Write what describes the media as JSON; see `info.py`."""
    path = work_dir / "info.json"
    path.write_text(
        json.dumps(public_info(info), ensure_ascii=False, indent=1), encoding="utf-8", errors="replace"
    )
    return path
