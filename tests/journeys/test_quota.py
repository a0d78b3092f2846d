"""Many links at once do not get around what one person may fetch in a day."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from shared.errors import Code, JobError
from shared.models import JobState
from tests.journeys.service import Service, open_service, settings_for, slowly
from tests.site.server import MediaSite
from worker.child import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def service(tmp_path: Path, site: MediaSite, children: ChildServer) -> AsyncIterator[Service]:
    """One job after the other, and a tenth of the sample's bytes a day."""
    site.reset()
    settings = settings_for(
        tmp_path / "data", site, max_concurrent_downloads=1, max_gb_per_user_per_day=0.0001
    )
    async with open_service(settings, site, children) as running:
        yield running


async def test_of_links_sent_at_once_only_those_are_fetched_that_the_day_has_room_for(
    service: Service,
) -> None:
    """The second is what bob wants too, who has room: so he gets it, as if he had been first."""
    links = (slowly(1_000_000), "/watch/sample?n=1", "/watch/sample?n=2")
    asked = [await service.ask(link) for link in links]
    bob = await service.ask(links[1], "bob")
    views = [await service.ended(each) for each in asked]
    assert [view.state for view in views] == [JobState.DONE, JobState.DONE, JobState.FAILED]
    assert views[2].error and views[2].error.code == "quota"
    told = (await service.told(asked[2]))["error"]
    assert told.startswith("You have fetched the 0.0001 GB") and told.endswith("Send the link again then.")
    assert [(await service.told(each))["state"] for each in (asked[1], bob)] == ["done", "done"]
    with pytest.raises(JobError) as refused:
        await service.ask(links[2], "bob")
    assert refused.value.code is Code.QUOTA, "he has paid"
    assert (await service.get(links[2], who="cy")).state is JobState.DONE
