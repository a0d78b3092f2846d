"""A herald in a hurry, and databases of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bots.herald
import shared.deliveries
from tests.bots.scene import Scene, open_scene
from tests.shared.conftest import connect, database, postgres

__all__ = ["connect", "database", "postgres"]


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Where a herald works, and nobody waits long."""
    for name in ("TICK", "IDLE", "PAUSE"):
        monkeypatch.setattr(bots.herald, name, 0.01)
    monkeypatch.setattr(shared.deliveries, "POST_CLAIM", 1.0)
    async with open_scene(tmp_path) as opened:
        yield opened
