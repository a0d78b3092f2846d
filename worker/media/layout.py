"""What a media file's own structure says, read without any tool: is it all there, does it start early.

A file that was cut off still claims its full duration. The sizes that mp4, Matroska and RIFF files
declare at their start tell the truth for the price of a few small reads.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

MAX_BOXES = 200_000  # a 24 h stream in 1 s fragments has half of that
_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"
_DOC_TYPE = b"\x42\x82"


@dataclass(frozen=True)
class Layout:
    """`whole`: no declared part lies beyond the end of the file. `sealed`: it is whole, and declares enough
    to prove it. `faststart`: an mp4 that plays while it loads. `fragmented`: an mp4 made of pieces, as HLS
    and DASH send it. `doc_type`: webm or matroska.
    """

    whole: bool = True
    sealed: bool = False
    faststart: bool = False
    fragmented: bool = False
    doc_type: str | None = None


def read_layout(path: Path) -> Layout:
    """Read the structure of a file of any kind. Blocks for a few small reads; raises OSError."""
    with path.open("rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(64)
        if head[4:8] in (b"ftyp", b"styp", b"moov", b"mdat", b"moof", b"free", b"wide", b"skip"):
            return _mp4(file, size)
        if head.startswith(_EBML):
            return _matroska(head, size)
        if head.startswith(b"RIFF"):
            declared = int.from_bytes(head[4:8], "little")
            unknown = declared == 0xFFFFFFFF
            whole = unknown or declared + 8 <= size
            return Layout(whole=whole, sealed=whole and not unknown)
    return Layout()


def _mp4(file: BinaryIO, size: int) -> Layout:
    seen: list[bytes] = []
    position, whole = 0, True
    while position + 8 <= size and len(seen) < MAX_BOXES:
        length, kind = _box(file, position, size)
        seen.append(kind)
        # Junk behind the last real box is common and harmless; only boxes that matter can be missing.
        if position + length > size and kind in (b"mdat", b"moov", b"moof"):
            whole = False
        position += length
    fragmented = b"moof" in seen
    early = b"moov" in seen and b"mdat" in seen and seen.index(b"moov") < seen.index(b"mdat")
    sealed = whole and b"moov" in seen and b"mdat" in seen and not fragmented
    return Layout(whole=whole, sealed=sealed, faststart=early and not fragmented, fragmented=fragmented)


def _box(file: BinaryIO, position: int, size: int) -> tuple[int, bytes]:
    """The length in bytes and the type of the box at a position."""
    file.seek(position)
    head = file.read(16)
    length, kind = int.from_bytes(head[:4], "big"), head[4:8]
    if length == 1:
        length = int.from_bytes(head[8:16], "big")
    elif length == 0:
        length = size - position  # "up to the end of the file"
    return max(length, 8), kind


def _matroska(head: bytes, size: int) -> Layout:
    header_length, start = _vint(head, 4)
    if header_length is None:
        return Layout()
    header = head[start : start + header_length]
    doc_type = "webm" if _DOC_TYPE + b"\x84webm" in header else "matroska"
    segment = start + header_length
    whole, sealed = True, False
    if head[segment : segment + 4] == _SEGMENT:
        length, body = _vint(head, segment + 4)
        whole = length is None or body + length <= size
        sealed = whole and length is not None
    return Layout(whole=whole, sealed=sealed, doc_type=doc_type)


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """An EBML size and where it ends; None for "unknown", which streams use, and for a broken one."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    raw = int.from_bytes(data[at : at + width], "big")
    value = raw & ((1 << 7 * width) - 1)
    unknown = width > 8 or value == (1 << 7 * width) - 1
    return (None if unknown else value), at + width
