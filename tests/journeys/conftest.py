"""Services with data folders of their own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

import shared.retry
import worker.janitor
import worker.service
import worker.supervise
from tests.journeys.service import Service, open_service, settings_for
from tests.site.server import MediaSite
from worker.child import ChildServer


@pytest.fixture(scope="module")
def hurry() -> Iterator[None]:
    """The same rules, but nobody waits long: retries, crashes, and the janitor's rounds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shared.retry, "BASE_DELAY", 0.1)
        patch.setattr(worker.supervise, "CRASH_DELAY", 0.1)
        patch.setattr(worker.supervise, "NO_CHILD_DELAY", 0.1)
        patch.setattr(worker.janitor, "SWEEP_INTERVAL", 0.1)
        yield


@pytest_asyncio.fixture(loop_scope="session")
async def service(
    tmp_path: Path, site: MediaSite, children: ChildServer, hurry: None
) -> AsyncIterator[Service]:
    """A running service with an empty data folder; the site's counters start at zero."""
    site.reset()
    async with open_service(settings_for(tmp_path / "data", site), site, children) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def busy_service(
    tmp_path_factory: pytest.TempPathFactory, site: MediaSite, children: ChildServer, hurry: None
) -> AsyncIterator[Service]:
    """A running service for a whole module, for jobs that do not touch each other."""
    site.reset()
    settings = settings_for(tmp_path_factory.mktemp("service") / "data", site, max_concurrent_downloads=2)
    async with open_service(settings, site, children) as running:
        yield running
