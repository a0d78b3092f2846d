"""Views of jobs for the tests of what is shown."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.ids import new_id
from shared.models import ArtifactKind, JobState
from shared.results import ArtifactView, ErrorView, JobView

ASKED = UUID("0192aaaabbbb7ccc8dddeeeeffff0001")
UNTIL = datetime(2026, 11, 24, 15, 4, tzinfo=UTC)
HOST = "https://ferry.example.org/f"


def a_view(state: JobState = JobState.RUNNING, **about: Any) -> JobView:
    """A job in this state; whatever is not said is empty."""
    empty = dict.fromkeys(JobView.model_fields) | {"artifacts": (), "site": "films.example"}
    return JobView.model_validate(empty | {"job_id": ASKED, "state": state} | about)


def a_file(kind: ArtifactKind = ArtifactKind.VIDEO, form: str = "mp4", **about: Any) -> ArtifactView:
    """One file of a finished job."""
    name = f"Film.{form}"
    common: dict[str, Any] = {
        "id": new_id(), "kind": kind, "format": form, "language": None, "source": None, "height": None,
        "duration_seconds": None, "file_name": name, "size_bytes": 3000, "sha256": "0" * 64,
        "url": f"{HOST}/show/{kind}/{name}", "download_url": f"{HOST}/save/{kind}/{name}",
        "expires_at": UNTIL,
    }  # fmt: skip
    return ArtifactView.model_validate(common | about)


def an_error(message: str = "I could not reach the site.", *, is_passing: bool = True) -> ErrorView:
    """Why a job failed."""
    return ErrorView(code="network", message=message, is_passing=is_passing)
