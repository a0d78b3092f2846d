"""One file on its way into a bucket: small ones in one request, others in parts.

What arrived stays when this fails, and the next upload of the same file to the same key goes on from there:
S3 itself keeps the id of the upload and the checksums of its parts, so nothing has to be kept here.
"""

import hashlib
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from shared.filenames import content_disposition
from shared.storage.local import open_regular
from shared.storage.port import Label, StorageError, StoredFile
from shared.storage.s3.bucket import Bucket
from shared.storage.s3.extras import Extra, Extras, Fields
from shared.storage.s3.lanes import Lanes, read_into
from shared.storage.s3.parts import Parts, Stopped, base64, md5
from shared.storage.s3.trouble import code_of, status_of
from shared.storage.s3.unfinished import Part, Unfinished, parts_of, unfinished_uploads


@dataclass(frozen=True)
class Wish:
    """What is to be stored where. `key` has no prefix."""

    key: str
    source: Path
    label: Label


class Upload:
    """Runs in a thread. `tell` hears the share that is stored, from any thread."""

    def __init__(
        self, wish: Wish, bucket: Bucket, extras: Extras, lanes: Lanes, tell: Callable[[float], None]
    ) -> None:
        self._wish = wish
        self._bucket = bucket
        self._extras = extras
        self._lanes = lanes
        self._tell = tell
        self._key = bucket.full(wish.key)
        self._where: dict[str, Any] = {"Bucket": bucket.name, "Key": self._key}
        self._stop = threading.Event()

    def stop(self) -> None:
        """Send nothing more; `run` raises Stopped soon. What arrived stays for the next upload."""
        self._stop.set()

    def run(self) -> StoredFile:
        """Send the file and delete it here. Raises OSError, botocore's errors, StorageError."""
        with open_regular(self._wish.source) as file:
            size = os.fstat(file.fileno()).st_size
            send = self._send_whole if size <= self._lanes.part else self._send_parts
            sha256 = send(file.fileno(), size)
        self._wish.source.unlink()
        return StoredFile(self._wish.key, size, sha256)

    def _send_whole(self, file: int, size: int) -> str:
        with self._lanes.buffer(size) as buffer:
            body = bytes(read_into(buffer, file, 0, size))
        digest = hashlib.sha256(body)
        self._store(
            self._bucket.client.put_object,
            {"checksum": {"ChecksumSHA256": base64(digest.digest())}, "tags": self._tags()},
            f'"{md5(body).hex()}"',
            size,
            instead={"checksum": {"ContentMD5": base64(md5(body))}},
            Body=body,
            **self._about(),
        )
        self._tell(1.0)
        return digest.hexdigest()

    def _send_parts(self, file: int, size: int) -> str:
        try:
            return self._send_to(self._find() or self.begin(), file, size)
        except ClientError as error:
            if code_of(error) != "NoSuchUpload":
                raise
        return self._send_to(self.begin(), file, size)  # somebody aborted it meanwhile

    def _send_to(self, upload: Unfinished, file: int, size: int) -> str:
        there = parts_of(self._bucket, upload) if upload.is_old else {}
        sha256, parts = Parts(self._bucket, upload, there, self._lanes, self._stop, self._tell).send(
            file, size
        )
        if self._stop.is_set():
            raise Stopped("stopped")
        listed = [_completed(part) for part in parts]
        tags = b"".join(bytes.fromhex(part.etag.strip('"')) for part in parts if _is_hex(part.etag))
        self._store(
            self._bucket.client.complete_multipart_upload,
            {},
            f'"{md5(tags).hex()}-{len(parts)}"',
            size,
            UploadId=upload.id,
            MultipartUpload={"Parts": listed},
        )
        return sha256

    def _find(self) -> Unfinished | None:
        """An upload of this key that a crash cut short, or that was begun while the file was made."""
        found = unfinished_uploads(self._bucket, self._key)
        return next((upload for upload in found if upload.key == self._key), None)

    def begin(self) -> Unfinished:
        """A new upload of this key, with nothing in it. Raises botocore's errors."""
        answer = self._extras.call(
            self._bucket.client.create_multipart_upload,
            {"checksum": {"ChecksumAlgorithm": "CRC32"}, "tags": self._tags()},
            **{**self._where, **self._about()},
        )
        has_checksums = self._extras.knows("checksum")
        return Unfinished(self._key, answer["UploadId"], datetime.now(UTC), has_checksums, is_old=False)

    def _store(
        self, request: Callable[..., Any], wanted: Mapping[Extra, Fields], etag: str, size: int, **fields: Any
    ) -> None:
        """The request that makes the object visible. `etag` is the one that ours will have."""
        wanted = {**wanted, "condition": {"IfNoneMatch": "*"}}
        try:
            self._extras.call(request, wanted, **self._where, **fields)
        except ClientError as error:
            is_taken = status_of(error) == 412
            if not is_taken and code_of(error) != "NoSuchUpload":
                raise
            # Either an earlier try of ours worked and its answer got lost, or it was somebody else.
            if self._is_there(etag, size):
                return
            if is_taken:
                raise StorageError(f"there is another file under {self._wish.key}") from None
            raise

    def _is_there(self, etag: str, size: int) -> bool:
        try:
            found = self._bucket.client.head_object(**self._where)
        except ClientError:
            return False
        return found["ContentLength"] == size and found["ETag"] == etag

    def _about(self) -> dict[str, str]:
        """What S3 says of the object to whoever fetches it."""
        label = self._wish.label
        about = {"ContentType": label.content_type, **self._bucket.encryption_fields()}
        if label.file_name:
            about["ContentDisposition"] = content_disposition("attachment", label.file_name)
        return about

    def _tags(self) -> Fields:
        return {"Tagging": urlencode(self._wish.label.tags)} if self._wish.label.tags else {}


def _completed(part: Part) -> dict[str, Any]:
    checksum = {"ChecksumCRC32": part.crc32} if part.crc32 else {}
    return {"PartNumber": part.number, "ETag": part.etag, **checksum}


def _is_hex(etag: str) -> bool:
    return len(etag.strip('"')) == 32
