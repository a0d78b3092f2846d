"""Files in an S3 bucket, AWS's own or another's. Imported only where S3 is chosen: boto3 is big.

An upload starts while the file is still being made where its format allows, see `ahead`: Matroska, WebM, MP3
and WAV only change their first kilobyte at the end. An mp4 or m4a gets its index (`moov`) moved to the front
as the last step, which moves every byte: its upload starts when it is whole. So does that of a file which is
kept as the site sent it, because nobody knows before all of it has come whether it can be. Nothing can be
seen in the bucket that ffprobe has not seen whole.
"""

import asyncio
import logging

from shared.errors import ConfigError
from shared.settings import Settings
from shared.storage.port import StorageError
from shared.storage.s3.storage import S3Storage

__all__ = ["S3Storage", "open_s3"]

log = logging.getLogger(__name__)


async def open_s3(settings: Settings) -> S3Storage:
    """The bucket of the settings, looked into once. Raises ConfigError for what must be changed."""
    storage = await asyncio.to_thread(S3Storage.of, settings)
    try:
        await storage.check()
    except ConfigError:
        storage.close()
        raise
    except StorageError as error:
        log.warning("S3 does not answer now, and is asked again for each file: %s", error)
    if warning := storage.warning():
        log.warning("%s", warning)
    return storage
