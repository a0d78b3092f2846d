"""Fixtures that several parts of the tests share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.site.server import MediaSite
from worker.child import ChildServer

PLUGIN = Path(__file__).parent / "site" / "plugin"


@pytest.fixture(scope="session")
def site() -> Iterator[MediaSite]:
    """The media site on loopback, for the whole session; see tests/site/README.md."""
    with MediaSite() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def children() -> AsyncIterator[ChildServer]:
    """The warm process of the session, whose children know the test extractor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PLUGIN))
        async with ChildServer() as running:
            yield running
