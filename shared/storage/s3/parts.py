"""The parts of one upload: read in order, sent several at once, and those that are there already left out."""

import hashlib
import threading
import zlib
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import Any

from shared.storage.port import StorageError
from shared.storage.s3.bucket import Bucket
from shared.storage.s3.lanes import Lanes, read_into
from shared.storage.s3.unfinished import Part, Unfinished

MAX_PARTS = 10_000  # of one upload, by S3's rules


class Stopped(StorageError):
    """Nobody waits for this upload any more."""


class Parts:
    """Sends one file to one upload. `tell` hears the share that is there, from any thread."""

    def __init__(
        self,
        bucket: Bucket,
        upload: Unfinished,
        there: dict[int, Part],
        lanes: Lanes,
        stop: threading.Event,
        tell: Callable[[float], None],
    ) -> None:
        self._bucket = bucket
        self._upload = upload
        self._there = there
        self._lanes = lanes
        self._stop = stop
        self._tell = tell
        self._failed = threading.Event()
        self._lock = threading.Lock()
        self._done = 0
        self._size = 0

    def send(self, file: int, size: int) -> tuple[str, list[Part]]:
        """Send `size` bytes of an open file; its SHA-256, and its parts in order. All threads end first."""
        self._size = size
        digest = hashlib.sha256()
        sending: list[Future[Part]] = []
        try:
            self._read_all(file, digest, sending)
        except BaseException:
            self._failed.set()
            raise
        finally:
            wait(sending)
        errors = [error for future in sending if (error := future.exception())]
        if errors or self._stop.is_set():
            raise next((error for error in errors if not isinstance(error, Stopped)), Stopped("stopped"))
        return digest.hexdigest(), [future.result() for future in sending]

    def _read_all(self, file: int, digest: "hashlib._Hash", sending: list[Future[Part]]) -> None:
        part_size = max(self._lanes.part, -(-self._size // MAX_PARTS))
        for number, offset in enumerate(range(0, self._size, part_size), 1):
            length = min(part_size, self._size - offset)
            buffer = self._lanes.take(part_size)
            try:
                if self._is_over:
                    raise Stopped("stopped")
                body = read_into(buffer, file, offset, length)
                digest.update(body)
                sending.append(self._lanes.senders.submit(self._send_one, number, body, buffer))
            except BaseException as error:
                self._lanes.give(buffer)
                if isinstance(error, Stopped):
                    return
                raise

    @property
    def _is_over(self) -> bool:
        return self._stop.is_set() or self._failed.is_set()

    def _send_one(self, number: int, body: bytes | bytearray, buffer: bytearray) -> Part:
        try:
            if self._is_over:
                raise Stopped("stopped")
            crc32 = checksum(body)
            part = self._there.get(number)
            if part is None or not is_same(part, body, crc32):
                part = send_part(self._bucket, self._upload, number, body, crc32)
            self._count(len(body))
        except BaseException:
            self._failed.set()
            raise
        finally:
            self._lanes.give(buffer)
        return part

    def _count(self, length: int) -> None:
        with self._lock:
            self._done += length
            share = self._done / self._size
        self._tell(share)


def send_part(
    bucket: Bucket, upload: Unfinished, number: int, body: bytes | bytearray, crc32: str = ""
) -> Part:
    """Send one part; `crc32` is its checksum, when that is known. Raises botocore's errors."""
    crc32 = (crc32 or checksum(body)) if upload.has_checksums else ""
    check = {"ChecksumCRC32": crc32} if crc32 else {"ContentMD5": base64(md5(body))}
    fields: dict[str, Any] = {"PartNumber": number, "UploadId": upload.id, "Body": body, **check}
    answer = bucket.client.upload_part(Bucket=bucket.name, Key=upload.key, **fields)
    return Part(number, len(body), answer["ETag"], crc32)


def checksum(body: bytes | bytearray) -> str:
    """The CRC32 of a part, as S3's headers have it."""
    return base64(zlib.crc32(body).to_bytes(4, "big"))


def is_same(part: Part, body: bytes | bytearray, crc32: str) -> bool:
    """Whether the part that is there holds these bytes. Entity tags are no MD5 where KMS encrypts."""
    if part.size != len(body):
        return False
    return part.crc32 == crc32 if part.crc32 else part.etag.strip('"') == md5(body).hex()


def md5(body: bytes | bytearray) -> bytes:
    """The MD5 that S3 makes entity tags of; it protects nothing."""
    return hashlib.md5(body, usedforsecurity=False).digest()


def base64(digest: bytes) -> str:
    """A checksum as S3's headers have it."""
    return b64encode(digest).decode()
