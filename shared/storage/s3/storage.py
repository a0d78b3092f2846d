"""The `Storage` in an S3 bucket. boto3 blocks, so every call of it runs in a thread."""

import asyncio
import contextvars
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import gettempdir
from typing import Any, TypeVar
from uuid import uuid4

from shared.errors import JobError
from shared.filenames import content_disposition
from shared.settings import Settings
from shared.storage import local
from shared.storage.port import (
    PLAIN,
    Disposition,
    HalfDone,
    Label,
    Progress,
    StorageError,
    StoredFile,
    StoredKey,
    check_key,
    is_key,
)
from shared.storage.s3 import lifecycle
from shared.storage.s3.ahead import Ahead
from shared.storage.s3.bucket import Bucket, open_bucket
from shared.storage.s3.download import Download
from shared.storage.s3.extras import Extras
from shared.storage.s3.lanes import PART, SENDERS, Lanes
from shared.storage.s3.signing import Presigner, Signer, open_signer
from shared.storage.s3.trouble import clear_errors
from shared.storage.s3.unfinished import abort, size_so_far, unfinished_uploads
from shared.storage.s3.upload import Upload, Wish

log = logging.getLogger(__name__)

CALLERS = 80  # threads at most: one for each of 64 jobs that store at once, and some for short questions
KEPT_UNFINISHED = 86_400  # seconds that the parts of a crashed upload wait for somebody to go on
KEPT_COPY = 3600  # seconds; who reads a copy for longer has opened it

PAGE = 1000  # keys; S3 lists no more at once

Result = TypeVar("Result")


class S3Storage:
    """Keeps files in the part of a bucket below its prefix, which must be this installation's alone."""

    def __init__(
        self,
        bucket: Bucket,
        signer: Signer | None = None,
        *,
        part: int = PART,
        kept_unfinished: float = KEPT_UNFINISHED,
        scratch: Path | None = None,
        reserve: int = 0,
    ) -> None:
        """`scratch` is a folder for copies that are at hand for a while, by default the system's.

        They leave `reserve` bytes free there.
        """
        self._bucket = bucket
        self._signer = signer or Presigner(bucket)
        self._kept_unfinished = kept_unfinished
        self._scratch = scratch or Path(gettempdir(), "linkferry")
        self._reserve = reserve
        self._extras = Extras()
        self._callers = ThreadPoolExecutor(CALLERS, "s3")
        self._senders = ThreadPoolExecutor(SENDERS, "s3-part")
        self._lanes = Lanes(self._senders, part)

    @classmethod
    def of(cls, settings: Settings) -> "S3Storage":
        """The storage of the settings. Raises ConfigError. Asks nothing of S3; takes 0.2 s of a thread."""
        bucket = open_bucket(settings)
        signer = open_signer(settings, bucket)
        return cls(bucket, signer, scratch=settings.scratch_folder, reserve=settings.disk_reserve)

    async def check(self) -> None:
        """Raises BucketMisconfigured when something must be changed, StorageError when S3 is away."""
        fields = {"Bucket": self._bucket.name, "Prefix": self._bucket.prefix, "MaxKeys": 1}
        await self._call("cannot look into the bucket", self._bucket.client.list_objects_v2, **fields)

    async def lifecycle(self) -> lifecycle.Lifecycle:
        """Whether the bucket has the rule that clears up what nobody can see."""
        return await self._call("cannot read the lifecycle", lifecycle.look, self._bucket)

    async def set_lifecycle(self) -> None:
        """Give the bucket that rule; rules of others stay."""
        await self._call("cannot set the lifecycle", lifecycle.put, self._bucket)

    def warning(self) -> str:
        """A sentence for the log when the credentials end some time and nobody renews them; else empty."""
        if not self._bucket.is_lent:
            return ""
        end = self._bucket.credentials_end()
        when = f"end at {end.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if end else "are temporary"
        return (
            f"The AWS credentials {when}, and I cannot renew them: from then on nothing is stored, and links "
            "stop working before their time. Use lasting keys, or a role of the machine or the task."
        )

    def links_end(self) -> datetime | None:
        """See `Storage.links_end`."""
        return self._signer.ends_at()

    def expect(self, source: Path) -> None:
        """Nothing to begin with: the file is hashed while it is sent, and sent only when it was verified."""

    async def put(
        self,
        key: str,
        source: Path,
        *,
        label: Label = PLAIN,
        progress: Progress | None = None,
    ) -> StoredFile:
        """See `Storage.put`. Cancelled, it soon stops sending; what arrived waits for the next try."""
        loop = asyncio.get_running_loop()

        def tell(share: float) -> None:
            if progress is not None:
                with suppress(RuntimeError):  # the loop has ended, and who asked with it
                    loop.call_soon_threadsafe(progress, share)

        wish = Wish(check_key(key), source, label)
        upload = Upload(wish, self._bucket, self._extras, self._lanes, tell)
        what = f"cannot store {source.name!r} as {key}"

        def run() -> StoredFile:
            # In this order: some errors of botocore are OSErrors too.
            with local.clear_errors(what), clear_errors(what, self._bucket.name):
                return upload.run()

        try:
            return await self._call(what, run)
        except asyncio.CancelledError:
            upload.stop()
            raise

    @asynccontextmanager
    async def ahead(self, key: str, source: Path, *, label: Label = PLAIN) -> AsyncIterator[None]:
        """See `Storage.ahead`. What a stopped worker has sent stays for the next one."""
        wish = Wish(check_key(key), source, label)
        upload = Upload(wish, self._bucket, self._extras, self._lanes, lambda _: None)
        sender = Ahead(source, self._bucket, self._lanes, upload.begin)
        sending = asyncio.ensure_future(self._call(f"cannot send {key} ahead", sender.run))
        try:
            yield
        except Exception:
            sender.stop()
            await asyncio.wait((sending,))
            with suppress(StorageError, JobError):  # then a sweep does it
                await self._call("cannot abort an upload", sender.abort)
            raise
        else:
            sender.stop()
            await asyncio.wait((sending,))
        finally:
            sender.stop()
            sending.add_done_callback(_note_failure)

    async def unfinished(self, prefix: str) -> list[str]:
        """See `Storage.unfinished`."""
        found = await self._call(
            "cannot list uploads", unfinished_uploads, self._bucket, self._bucket.full(prefix)
        )
        return [upload.key.removeprefix(self._bucket.prefix) for upload in found]

    async def size(self, key: str) -> int | None:
        """See `Storage.size`. By listing: a bare 404 could also mean that the bucket is missing."""
        full = self._bucket.full(check_key(key))
        listed = await self._call(
            f"cannot look for {key}",
            self._bucket.client.list_objects_v2,
            Bucket=self._bucket.name,
            Prefix=full,
            MaxKeys=1,  # no longer key can come before it
        )
        return next((found["Size"] for found in listed.get("Contents", []) if found["Key"] == full), None)

    async def delete(self, key: str) -> None:
        """See `Storage.delete`."""
        full = self._bucket.full(check_key(key))
        await self._call(
            f"cannot delete {key}", self._bucket.client.delete_object, Bucket=self._bucket.name, Key=full
        )

    async def keys(self) -> AsyncIterator[StoredKey]:
        """See `Storage.keys`. What is no key of ours is left alone."""
        fields: dict[str, Any] = {"Bucket": self._bucket.name, "Prefix": self._bucket.prefix, "MaxKeys": PAGE}
        while True:
            page = await self._call("cannot list files", self._bucket.client.list_objects_v2, **fields)
            for found in page.get("Contents", []):
                key = found["Key"].removeprefix(self._bucket.prefix)
                if is_key(key):
                    yield StoredKey(key, found["Size"])
            if not page.get("IsTruncated"):
                return
            fields["ContinuationToken"] = page["NextContinuationToken"]

    async def half_done(self, older_than_seconds: float) -> list[HalfDone]:
        """See `Storage.half_done`. Uploads are kept for a day at least: they can be gone on with."""
        return await self._call("cannot list uploads", self._half_done, older_than_seconds)

    def _half_done(self, age: float) -> list[HalfDone]:
        limit = datetime.now(UTC) - timedelta(seconds=max(age, self._kept_unfinished))
        found = unfinished_uploads(self._bucket, self._bucket.prefix)
        uploads = [
            HalfDone(upload.key.removeprefix(self._bucket.prefix), size, upload.id)
            for upload in found
            if upload.begun <= limit and (size := size_so_far(self._bucket, upload)) is not None
        ]
        return [*local.old_files(self._scratch, age), *uploads]

    async def discard(self, half: HalfDone) -> None:
        """See `Storage.discard`."""
        if half.upload:
            full = self._bucket.full(half.name)
            await self._call("cannot abort an upload", abort, self._bucket, full, half.upload)
        else:
            await asyncio.to_thread(local.unlink, self._scratch / half.name)

    async def fetch(self, key: str, target: Path) -> None:
        """See `Storage.fetch`."""
        await self._fetch(key, target)

    async def _fetch(self, key: str, target: Path, reserve: int = 0) -> None:
        download = Download(self._bucket, check_key(key), reserve)
        try:
            await self._call(f"cannot fetch {key}", download.run, target)
        except asyncio.CancelledError:
            download.stop()
            raise

    @asynccontextmanager
    async def at_hand(self, key: str) -> AsyncIterator[Path]:
        """See `Storage.at_hand`: a copy. One that a crash left is swept away, or goes with the next."""
        copy = self._scratch / uuid4().hex
        await asyncio.to_thread(self._forget_copies)
        try:
            await self._fetch(key, copy, self._reserve)
            yield copy
        finally:
            await asyncio.to_thread(copy.unlink, missing_ok=True)

    def _forget_copies(self) -> None:
        """No worker's sweep comes to a machine that has only a bot or the web endpoint."""
        for old in local.old_files(self._scratch, KEPT_COPY):
            local.unlink(self._scratch / old.name)

    def path(self, key: str) -> None:
        """Always None: the bytes are elsewhere."""
        check_key(key)

    async def external_link(
        self, key: str, *, file_name: str, content_type: str, disposition: Disposition, ttl_seconds: int
    ) -> str:
        """See `Storage.external_link`. In a thread: signing may first have to fetch new credentials."""
        header = content_disposition(disposition, file_name)
        full = self._bucket.full(check_key(key))
        return await self._call(
            f"cannot sign a link to {key}", self._signer.link, full, header, content_type, ttl_seconds
        )

    def close(self) -> None:
        """Let the connections go. Nothing may be running."""
        self._callers.shutdown()
        self._senders.shutdown()
        self._bucket.client.close()

    async def _call(self, what: str, function: Callable[..., Result], *args: Any, **fields: Any) -> Result:
        """Run it in a thread; `what` says what failed. Raises as `trouble.clear_errors` says."""

        def run() -> Result:
            with clear_errors(what, self._bucket.name):
                return function(*args, **fields)

        context = contextvars.copy_context()  # log lines there name the job too
        return await asyncio.get_running_loop().run_in_executor(self._callers, context.run, run)


def _note_failure(sending: "asyncio.Future[None]") -> None:
    if not sending.cancelled() and (error := sending.exception()):
        log.warning("the file is sent when it is whole: %s", error)
