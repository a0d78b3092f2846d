"""Waiting until something is so, with a bound, so that a test that waits in vain says so."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from inspect import isawaitable

PATIENCE = 90.0  # seconds until a test gives up; a busy machine takes its time
PAUSE = 0.02  # seconds between two looks


def until(condition: Callable[[], object], otherwise: str = "waited in vain") -> None:
    """Wait until it is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(PAUSE)


async def eventually(condition: Callable[[], Awaitable[object] | object]) -> None:
    """Wait until it is so, while the loop goes on; what the condition gives is awaited where it can be."""
    async with asyncio.timeout(PATIENCE):
        while not (await found if isawaitable(found := condition()) else found):
            await asyncio.sleep(PAUSE)
