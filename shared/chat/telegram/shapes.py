"""How large a picture is: read from the headers of JPEG and MP4 files, which Telegram wants told.

Without them a chat shows a film in a wrong shape until it is played.
"""

import struct
from collections.abc import Iterator
from typing import IO

Shape = tuple[int, int]  # width and height in pixels

_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # the JPEG markers of a frame, which has the size
_MOST_BOXES = 10_000


def jpeg_shape(data: bytes) -> Shape | None:
    """The size of a JPEG picture; None when it is none."""
    at = 2 if data.startswith(b"\xff\xd8\xff") else len(data)
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker in _FRAMES:
            height, width = struct.unpack_from(">HH", data, at + 5)
            return width, height
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big") if marker != 0xFF else 1
    return None


def mp4_shape(file: IO[bytes]) -> Shape | None:
    """The size of the largest picture track as it is shown; None when there is none."""
    end = file.seek(0, 2)
    shapes: list[Shape] = []
    for name, start, stop in _boxes(file, 0, end):
        if name == b"moov":
            for track, begin, until in _boxes(file, start, stop):
                if track == b"trak":
                    shapes += _track_shapes(file, begin, until)
    return max(shapes, key=lambda shape: shape[0] * shape[1], default=None)


def _track_shapes(file: IO[bytes], start: int, stop: int) -> Iterator[Shape]:
    for name, begin, until in _boxes(file, start, stop):
        if name == b"tkhd" and until - begin >= 84:
            file.seek(until - 44)  # the matrix and the size come last: 9 and 2 numbers of four bytes
            *matrix, width, height = struct.unpack(">9i2I", file.read(44))
            shape = width >> 16, height >> 16
            if all(shape):
                yield shape if matrix[0] else shape[::-1]  # lying on its side


def _boxes(file: IO[bytes], at: int, stop: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, begin and end of the content of each box in this part of the file."""
    for _ in range(_MOST_BOXES):
        if at + 8 > stop:
            return
        file.seek(at)
        head = file.read(16)
        if len(head) < 8:
            return
        size, name, begin = int.from_bytes(head[:4], "big"), head[4:8], at + 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16], "big"), at + 16
        end = stop if size == 0 else at + size
        if end < begin or end > stop:
            return
        yield name, begin, end
        at = end
