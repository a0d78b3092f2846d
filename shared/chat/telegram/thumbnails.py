"""Small pictures for players: sites' thumbnails are larger than Telegram takes, and seldom JPEG."""

import asyncio
import logging
from pathlib import Path

from shared.chat.telegram.shapes import jpeg_shape

log = logging.getLogger(__name__)

MOST_SIDE = 320  # pixels of what Telegram takes
MOST_BYTES = 200_000
PATIENCE = 10.0  # seconds one picture may take
# Pictures come from strangers: these formats only, nothing that could name other files, nothing huge.
FORMATS = "jpeg_pipe,png_pipe,webp_pipe,gif,bmp_pipe"
MOST_PIXELS = 40_000_000
_SCALE = f"scale='min({MOST_SIDE},iw)':'min({MOST_SIDE},ih)':force_original_aspect_ratio=decrease"
_READ = f"-protocol_whitelist pipe -format_whitelist {FORMATS} -max_pixels {MOST_PIXELS} -threads 1 -i pipe:0"
_WRITE = f"-frames:v 1 -an -vf {_SCALE} -pix_fmt yuvj420p -threads 1 -q:v 4 -f mjpeg pipe:1"
COMMAND = ("ffmpeg", "-nostdin", "-v", "error", *_READ.split(), *_WRITE.split())


async def small_jpeg(path: Path) -> bytes | None:
    """The picture as Telegram takes it; None when that cannot be done: a film is worth more than its picture.

    Bounded in time and memory; a cancelled call leaves no process behind.
    """
    try:
        data = await asyncio.to_thread(_as_it_is, path)
        if data is None:
            async with asyncio.timeout(PATIENCE):
                data = await _converted(path)
    except OSError as error:  # also: no ffmpeg here, and too slow
        log.info("a thumbnail could not be made: %s", type(error).__name__)
        return None
    return data if _fits(data) else None


def _as_it_is(path: Path) -> bytes | None:
    """The bytes of a picture that needs nothing done."""
    if path.stat().st_size > MOST_BYTES:
        return None
    data = path.read_bytes()
    return data if _fits(data) else None


async def _converted(path: Path) -> bytes:
    with await asyncio.to_thread(path.open, "rb") as picture:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=picture,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for us: we end it when we are cancelled
        )
    try:
        data, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return data if process.returncode == 0 else b""


def _fits(data: bytes) -> bool:
    shape = jpeg_shape(data)
    return shape is not None and max(shape) <= MOST_SIDE and len(data) <= MOST_BYTES
