"""Sends a file while its end is still being made, so that little is left to send when it is whole.

All parts but the first: whoever makes Matroska, WebM, MP3 or WAV writes lengths and an index's place into the
first kilobyte at the end, and changes nothing else. The upload that comes after goes on with these parts as
with those of a crash: it compares every one, so a part that did change costs time and nothing else.
"""

import os
import threading
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

from shared.storage.local import open_regular
from shared.storage.s3 import unfinished
from shared.storage.s3.bucket import Bucket
from shared.storage.s3.lanes import Lanes, read_into
from shared.storage.s3.parts import send_part
from shared.storage.s3.unfinished import Unfinished

LOOK_INTERVAL = 0.2  # seconds between two looks whether there is more


class Ahead:
    """Runs in a thread. `begin` makes the upload, once there is something to send."""

    def __init__(self, source: Path, bucket: Bucket, lanes: Lanes, begin: Callable[[], Unfinished]) -> None:
        self._source = source
        self._bucket = bucket
        self._lanes = lanes
        self._begin = begin
        self._upload: Unfinished | None = None
        self._stop = threading.Event()

    def stop(self) -> None:
        """Send nothing more; `run` returns soon."""
        self._stop.set()

    def run(self) -> None:
        """Send what is there, until stopped. Raises OSError, botocore's errors, StorageError."""
        file = self._opened()
        if file is not None:
            with file:
                self._send(file.fileno())

    def abort(self) -> None:
        """What was sent is of no use to anybody. After `run`."""
        if self._upload is not None:
            unfinished.abort(self._bucket, self._upload.key, self._upload.id)

    def _opened(self) -> BufferedReader | None:
        """The file, once it is there; None when that never happens."""
        while not self._stop.is_set():
            try:
                return open_regular(self._source)
            except FileNotFoundError:
                self._stop.wait(LOOK_INTERVAL)
        return None

    def _send(self, file: int) -> None:
        size, number = self._lanes.part, 2
        while not self._stop.is_set():
            if os.fstat(file).st_size < number * size:
                self._stop.wait(LOOK_INTERVAL)
                continue
            self._upload = self._upload or self._begin()
            with self._lanes.buffer(size) as buffer:
                body = read_into(buffer, file, (number - 1) * size, size)
                send_part(self._bucket, self._upload, number, body)
            number += 1
