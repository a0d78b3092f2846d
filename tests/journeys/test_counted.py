"""What `/metrics` tells of a link's way through the real parts."""

import pytest

from shared.models import ArtifactKind, JobState, Stage
from tests.counting import Since
from tests.journeys.service import Service

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_link_is_counted_on_its_way(service: Service) -> None:
    fetched, done = Since("fetched_bytes_total"), Since("jobs_ended_total", state="done", code="")
    stages = {
        stage: Since("stage_duration_seconds_count", stage=stage.value)
        for stage in (Stage.PROBE, Stage.DOWNLOAD, Stage.CONVERT, Stage.VERIFY, Stage.STORE)
    }
    view = await service.get("/watch/sample")
    assert view.state is JobState.DONE
    file = await service.file(view, ArtifactKind.VIDEO)
    assert file.stat().st_size * 0.9 < fetched() < file.stat().st_size * 1.5, (
        "the film, its page, its picture"
    )
    assert done() == 1
    assert {stage: count() for stage, count in stages.items()} == dict.fromkeys(stages, 1)


async def test_a_child_that_crashes_is_counted_each_time(service: Service) -> None:
    crashes = Since("child_crashes_total", process="child")
    quarantined = Since("jobs_ended_total", state="failed", code="crashed")
    view = await service.get("/tube/crash")
    assert view.state is JobState.FAILED
    assert (crashes(), quarantined()) == (3, 1)
