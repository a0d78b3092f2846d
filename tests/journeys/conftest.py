"""One warm process for all journeys of the session; a service with a data folder of its own for each test."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

import shared.retry
import worker.janitor
import worker.service
from tests.journeys.processes import PLUGIN
from tests.journeys.service import Service, open_service, settings_for
from tests.site.server import MediaSite
from worker.child import ChildServer


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def children() -> AsyncIterator[ChildServer]:
    """A warm process whose children know the test extractor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PLUGIN))
        async with ChildServer() as running:
            yield running


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same rules, but nobody waits long: retries, crashes, and the janitor's rounds."""
    monkeypatch.setattr(shared.retry, "BASE_DELAY", 0.1)
    monkeypatch.setattr(worker.service, "CRASH_DELAY", 0.1)
    monkeypatch.setattr(worker.janitor, "SWEEP_INTERVAL", 0.1)
    yield


@pytest_asyncio.fixture(loop_scope="session")
async def service(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> AsyncIterator[Service]:
    """A running service with an empty data folder; the site's counters start at zero."""
    site.reset()
    async with open_service(settings_for(tmp_path / "data", site), site, children) as running:
        yield running
