"""What a job looks like from outside: the page where its files are watched."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from shared.links import Links
from shared.models import Artifact, ArtifactKind, Job, JobState
from shared.results import Chapter, Results, chapters_of
from shared.settings import Settings

JOB = UUID("0192f6e2-7c53-7d3e-9c7a-2f9b6f0c1d2e")
LINKS = Links(["a-key-0123456789abcdef"])
DAY = timedelta(days=1)


def artifact(kind: ArtifactKind, lives: timedelta = 7 * DAY, **more: Any) -> Artifact:
    now = datetime.now(UTC)
    return Artifact(
        id=JOB, job_id=JOB, kind=kind, format="vtt", file_name="a.vtt", content_type="text/vtt",
        storage_key="a/a.vtt", size=1, sha256="", expires_at=now + lives, **more,
    )  # fmt: skip


def watch_url(folder: Path, *artifacts: Artifact, state: JobState = JobState.DONE) -> str | None:
    settings = Settings(_env_file=None, data_dir=folder)  # type: ignore[call-arg]
    job = Job(id=JOB, site="films.example", state=state, options={}, artifacts=list(artifacts))
    return Results(settings, LINKS).view(job).watch_url


@pytest.mark.parametrize("kind", ["video", "audio", "captions", "transcript"])
def test_a_done_job_has_a_page_that_lives_as_long_as_its_links(tmp_path: Path, kind: str) -> None:
    now = datetime.now(UTC).timestamp()
    wanted = ArtifactKind(kind)
    for lives, expected in ((7 * DAY, 86_400), (DAY / 24, 3600)):
        url = watch_url(tmp_path, artifact(wanted, lives), artifact(wanted, -DAY))
        assert url and url.startswith("http://localhost:8080/w/")
        claim = LINKS.read_watch(url.rpartition("/")[2])
        assert claim.job_id == JOB and claim.expires_at - now == pytest.approx(expected, abs=3)


def test_a_job_with_nothing_to_watch_has_no_page(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    video, picture = ArtifactKind.VIDEO, ArtifactKind.THUMBNAIL
    assert watch_url(tmp_path) is None
    assert watch_url(tmp_path, artifact(picture), artifact(ArtifactKind.INFO)) is None
    assert watch_url(tmp_path, artifact(video, -DAY)) is None
    assert watch_url(tmp_path, artifact(video, deleted_at=now), artifact(video, revoked_at=now)) is None
    assert watch_url(tmp_path, artifact(video), state=JobState.RUNNING) is None


def test_chapters_of_a_clip_count_from_its_start() -> None:
    media = {"chapters": [{"start": at, "end": at + 60, "title": str(at)} for at in (0, 60, 120, 180)]}
    clip = {"start": 90, "end": 150}
    assert chapters_of(Job(media=media, options={"clip": None}))[-1] == Chapter(180, "180")
    assert chapters_of(Job(media=media, options={"clip": clip})) == (Chapter(0, "60"), Chapter(30, "120"))
    assert chapters_of(Job(media=None, options={})) == ()
