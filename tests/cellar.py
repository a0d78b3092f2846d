"""A storage that takes its time, or has lost something, where a test says so."""

import asyncio
from pathlib import Path

from shared.storage import StorageError
from shared.storage.local import LocalStorage


class Cellar(LocalStorage):
    """Has whatever it is asked for, unless a test says otherwise."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        self.has_it: bool | StorageError = True

    async def size(self, key: str) -> int | None:
        """See `Storage.size`."""
        self.asked.set()
        await self.answers.wait()
        if isinstance(self.has_it, StorageError):
            raise self.has_it
        return 1 if self.has_it else None
