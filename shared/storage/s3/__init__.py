"""Files in an S3 bucket, AWS's own or another's. Imported only where S3 is chosen: boto3 is big.

An upload starts when the file is whole, never before. An mp4 gets its index (`moov`) moved to the front as
the last step, which rewrites the first bytes; and nothing is stored that ffprobe has not seen whole.
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
