"""Uploads that were begun and not completed: S3 keeps their parts until somebody aborts them."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from botocore.exceptions import ClientError

from shared.storage.s3.bucket import Bucket
from shared.storage.s3.trouble import code_of, status_of


@dataclass(frozen=True)
class Part:
    """A part that arrived. `crc32` is empty where the server keeps no checksums."""

    number: int
    size: int
    etag: str
    crc32: str = ""


@dataclass(frozen=True)
class Unfinished:
    """An upload that was begun. `key` has the prefix; `has_checksums`: its parts are to have theirs.

    `is_old`: found again, so that parts of it may be there.
    """

    key: str
    id: str
    begun: datetime
    has_checksums: bool
    is_old: bool = True


def unfinished_uploads(bucket: Bucket, prefix: str) -> list[Unfinished]:
    """All whose whole key starts with `prefix`, newest first; none where the server cannot tell."""
    try:
        found = list(_listed(bucket, prefix))
    except ClientError as error:
        if status_of(error) == 501 or code_of(error) == "NotImplemented":
            return []
        raise
    return sorted(found, key=lambda upload: upload.begun, reverse=True)


def _listed(bucket: Bucket, prefix: str) -> Iterator[Unfinished]:
    pages = bucket.client.get_paginator("list_multipart_uploads")
    for page in pages.paginate(Bucket=bucket.name, Prefix=prefix):
        for upload in page.get("Uploads", []):
            yield Unfinished(
                key=upload["Key"],
                id=upload["UploadId"],
                begun=upload["Initiated"],
                has_checksums=upload.get("ChecksumAlgorithm") == "CRC32",
            )


def parts_of(bucket: Bucket, upload: Unfinished) -> dict[int, Part]:
    """The parts that arrived, by number."""
    pages = bucket.client.get_paginator("list_parts")
    return {
        part["PartNumber"]: Part(
            part["PartNumber"], part["Size"], part["ETag"], part.get("ChecksumCRC32", "")
        )
        for page in pages.paginate(Bucket=bucket.name, Key=upload.key, UploadId=upload.id)
        for part in page.get("Parts", [])
    }


def size_so_far(bucket: Bucket, upload: Unfinished) -> int | None:
    """Bytes that arrived; None when somebody has ended the upload by now. Raises botocore's errors."""
    try:
        return sum(part.size for part in parts_of(bucket, upload).values())
    except ClientError as error:
        if code_of(error) != "NoSuchUpload":
            raise
        return None


def abort(bucket: Bucket, key: str, upload_id: str) -> None:
    """Give up an upload and its parts; fine when it is gone. Raises botocore's errors."""
    try:
        bucket.client.abort_multipart_upload(Bucket=bucket.name, Key=key, UploadId=upload_id)
    except ClientError as error:
        if code_of(error) != "NoSuchUpload":
            raise
