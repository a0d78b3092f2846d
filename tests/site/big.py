"""Large, valid mp4 files that cost neither disk nor time.

A short real clip is blown up: every video sample gets a filler NAL unit (type 12, which decoders skip)
of zeros behind its picture, so the whole size is real media data that a remux has to carry, while the file
itself is sparse.
"""

import re
import struct
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

CONTAINERS = {b"moov", b"trak", b"mdia", b"minf", b"stbl"}
UNITS = {"": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3}
FILLER_NAL = b"\x0c"


def parse_size(text: str) -> int:
    """`2MB`, `30mb.mp4` or `1GB` as bytes (decimal units); ValueError for anything else."""
    found = re.fullmatch(r"(\d+)(kb|mb|gb|)(?:\.mp4)?", text.lower())
    if not found:
        raise ValueError(f"not a size: {text}")
    return int(found[1]) * UNITS[found[2]]


@dataclass
class Box:
    """One mp4 box: a payload, or children when it is a container."""

    kind: bytes
    payload: bytes = b""
    children: list["Box"] = field(default_factory=list)

    def serialise(self) -> bytes:
        """The box as it stands in a file."""
        body = self.payload + b"".join(child.serialise() for child in self.children)
        return struct.pack(">I", len(body) + 8) + self.kind + body

    def find(self, path: str) -> "Box":
        """The first box at a path such as `mdia/minf`."""
        kind, _, rest = path.partition("/")
        child = next(box for box in self.children if box.kind == kind.encode())
        return child.find(rest) if rest else child


def parse(data: bytes) -> list[Box]:
    """All boxes of `data`; sizes above 4 GiB are not needed here."""
    boxes, at = [], 0
    while at < len(data):
        size, kind = struct.unpack_from(">I4s", data, at)
        body = data[at + 8 : at + size]
        boxes.append(Box(kind, children=parse(body)) if kind in CONTAINERS else Box(kind, body))
        at += size
    return boxes


class Track:
    """The sample tables of one track, and where its chunks move to."""

    def __init__(self, trak: Box) -> None:
        self.is_video = trak.find("mdia/hdlr").payload[8:12] == b"vide"
        table = trak.find("mdia/minf/stbl")
        self._stsz, self._stco = table.find("stsz"), table.find("stco")
        uniform, count = struct.unpack_from(">II", self._stsz.payload, 4)
        self.sizes = (
            [uniform] * count if uniform else list(struct.unpack_from(f">{count}I", self._stsz.payload, 12))
        )
        chunks = struct.unpack_from(">I", self._stco.payload, 4)[0]
        self.offsets = list(struct.unpack_from(f">{chunks}I", self._stco.payload, 8))
        self._chunk_starts = self._first_samples(table.find("stsc").payload, chunks)

    def _first_samples(self, stsc: bytes, chunks: int) -> list[int]:
        """The number of the first sample of every chunk, and the end."""
        runs = [struct.unpack_from(">III", stsc, 8 + 12 * row) for row in range((len(stsc) - 8) // 12)]
        starts = [0]
        for (first, samples, _), (following, *_) in pairwise([*runs, (chunks + 1, 0, 0)]):
            for _ in range(following - first):
                starts.append(starts[-1] + samples)
        return starts

    def samples_of(self, chunk: int) -> list[int]:
        """The sizes of a chunk's samples as they are in the source clip, in bytes."""
        return self.sizes[self._chunk_starts[chunk] : self._chunk_starts[chunk + 1]]

    def rewrite(self, padding: int, offsets: list[int]) -> None:
        """Put new sizes and chunk places into the boxes; places become 64-bit (`co64`)."""
        sizes = [size + padding for size in self.sizes] if self.is_video else self.sizes
        self._stsz.payload = struct.pack(f">III{len(sizes)}I", 0, 0, len(sizes), *sizes)
        self._stco.kind = b"co64"
        self._stco.payload = struct.pack(f">II{len(offsets)}Q", 0, len(offsets), *offsets)


def make_big(clip: Path, target: Path, size: int) -> None:
    """Write `target` of about `size` bytes from `clip`, an mp4 with an H.264 track among its tracks.

    A size below the clip's own leaves its data as it is.
    """
    data = clip.read_bytes()
    top = {box.kind: box for box in parse(data)}
    moov = top[b"moov"]
    tracks = [Track(box) for box in moov.children if box.kind == b"trak"]
    frames = sum(len(track.sizes) for track in tracks if track.is_video)
    padding = max(5, (size - len(data)) // frames)
    for track in tracks:
        track.rewrite(padding, track.offsets)
    media_start = len(top[b"ftyp"].serialise()) + len(moov.serialise()) + 16
    with target.open("wb") as out:
        end = _write_samples(tracks, data, media_start, padding, out)
        mdat = struct.pack(">I4sQ", 1, b"mdat", end - media_start + 16)
        out.seek(0)
        out.write(top[b"ftyp"].serialise() + moov.serialise() + mdat)
        out.truncate(end)


def _write_samples(tracks: list[Track], data: bytes, at: int, padding: int, out: BinaryIO) -> int:
    """Copy the samples in file order, each frame with its filler behind it; returns the end of the file."""
    places = sorted(
        (offset, number, chunk)
        for number, track in enumerate(tracks)
        for chunk, offset in enumerate(track.offsets)
    )
    moved: list[list[int]] = [[] for _ in tracks]
    for offset, number, chunk in places:
        moved[number].append(at)
        for size in tracks[number].samples_of(chunk):
            out.seek(at)
            out.write(data[offset : offset + size])
            offset, at = offset + size, at + size
            if tracks[number].is_video:
                out.write(struct.pack(">I", padding - 4) + FILLER_NAL)
                at += padding
    for track, offsets in zip(tracks, moved, strict=True):
        track.rewrite(padding, offsets)
    return at
