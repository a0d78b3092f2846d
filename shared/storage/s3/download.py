"""An object becomes a file; a connection that breaks off is taken up where it was."""

import errno
import os
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

from botocore.exceptions import BotoCoreError, ClientError

from shared.space import free_bytes
from shared.storage import local
from shared.storage.port import StorageError
from shared.storage.s3.bucket import Bucket
from shared.storage.s3.trouble import GONE, clear_errors, code_of, status_of

BLOCK = 1024 * 1024  # bytes
TRIES = 5  # without a single new byte
PAUSE = 0.5  # seconds before the second try; then twice as long each time


class Download:
    """Runs in a thread. `reserve` is how many bytes stay free where the file is written."""

    def __init__(self, bucket: Bucket, key: str, reserve: int = 0) -> None:
        self._bucket = bucket
        self._where: dict[str, Any] = {"Bucket": bucket.name, "Key": bucket.full(key)}
        self._key = key
        self._reserve = reserve
        self._stop = threading.Event()
        self._done = 0
        self._etag = ""

    def stop(self) -> None:
        """Fetch nothing more; `run` raises StorageError soon."""
        self._stop.set()

    def run(self, target: Path) -> None:
        """Place the object's bytes there. Raises JobError when there is no room, else StorageError."""
        temporary = target.with_name(f".{uuid4().hex}.part")
        what = f"cannot place {target.name!r} in {target.parent}"
        with local.clear_errors(what), clear_errors(what, self._bucket.name):
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                self._write(temporary)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)

    def _write(self, target: Path) -> None:
        failures = 0
        with target.open("wb", buffering=0) as file:
            while True:
                before = self._done
                try:
                    self._read(file, target)
                except BotoCoreError:
                    failures = 1 if self._done > before else failures + 1
                    if failures >= TRIES:
                        raise
                    self._stop.wait(PAUSE * 2 ** (failures - 1))
                else:
                    return

    def _read(self, file: BinaryIO, target: Path) -> None:
        # IfMatch: the rest must be of the same object as the beginning.
        rest: dict[str, Any] = {"Range": f"bytes={self._done}-", "IfMatch": self._etag} if self._done else {}
        try:
            answer = self._bucket.client.get_object(**self._where, **rest)
        except ClientError as error:
            if code_of(error) in GONE or status_of(error) == 412:
                raise StorageError(f"there is no file under {self._key}") from None
            raise
        self._etag = answer["ETag"]
        with closing(answer["Body"]) as body:
            room = free_bytes(target.parent)
            if room is not None and room - self._reserve < answer["ContentLength"]:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            for block in body.iter_chunks(BLOCK):
                if self._stop.is_set():
                    raise StorageError("stopped")
                file.write(block)
                self._done += len(block)
