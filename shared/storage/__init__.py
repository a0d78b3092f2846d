"""Where finished files are kept: one port, and behind it a folder or a bucket."""

from shared.settings import Settings
from shared.storage.local import LocalStorage
from shared.storage.port import (
    Disposition,
    HalfDone,
    InvalidKey,
    Label,
    Storage,
    StorageError,
    StoredFile,
    StoredKey,
)

__all__ = [
    "Disposition",
    "HalfDone",
    "InvalidKey",
    "Label",
    "LocalStorage",
    "Storage",
    "StorageError",
    "StoredFile",
    "StoredKey",
    "open_storage",
]


async def open_storage(settings: Settings) -> Storage:
    """The storage of the settings. A bucket that is only away for now is waited for by whoever needs it.

    Raises ConfigError: the bucket, its settings or its credentials are wrong.
    """
    if not settings.uses_s3:
        return LocalStorage(settings.files_folder)
    from shared.storage.s3 import open_s3  # here, because boto3 takes 0.3 s to import

    return await open_s3(settings)
