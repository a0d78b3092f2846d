"""Where finished files are kept: one port, a folder behind it now, a bucket later."""

from shared.storage.local import LocalStorage
from shared.storage.port import Disposition, InvalidKey, Label, Storage, StorageError, StoredFile, StoredKey

__all__ = [
    "Disposition",
    "InvalidKey",
    "Label",
    "LocalStorage",
    "Storage",
    "StorageError",
    "StoredFile",
    "StoredKey",
]
