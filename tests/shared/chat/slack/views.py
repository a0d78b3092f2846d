"""Jobs as people see them, and what Slack would say about the messages that show them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from shared.chat.slack.blocks import Message
from shared.models import ArtifactKind, JobState
from shared.results import ArtifactView, JobView
from tests.slack.blocks import check_message
from tests.slack.mrkdwn import Pings, pings, read, read_blocks

ID = UUID(int=0xABCDEF0123456789)
NASTY = "<!channel> & <https://evil.example|click> @here *bold* :smile:"
UNTIL = datetime(2026, 7, 27, 15, 4, tzinfo=UTC)


def artifact(kind: ArtifactKind, form: str, **about: Any) -> ArtifactView:
    """A file of a finished job."""
    usual: dict[str, Any] = {
        "language": None, "source": None, "height": None, "duration_seconds": None, "size_bytes": 12_000_000,
        "file_name": f"Film.{form}", "sha256": "0" * 64, "expires_at": UNTIL,
        "url": f"https://ferry.example/f/token/{kind}.{form}",
        "download_url": f"https://ferry.example/f/saved/{kind}.{form}",
    }  # fmt: skip
    return ArtifactView(id=UUID(int=len(form)), kind=kind, format=form, **usual | about)


VIDEO = artifact(ArtifactKind.VIDEO, "mp4", height=1080)
TXT = artifact(ArtifactKind.TRANSCRIPT, "txt", language="en", source="manual", size_bytes=4000)
SRT = artifact(ArtifactKind.CAPTIONS, "srt", language="en", source="manual", size_bytes=5000)
PICTURE = artifact(ArtifactKind.THUMBNAIL, "jpg")


def a_view(state: JobState = JobState.RUNNING, **about: Any) -> JobView:
    """A job in this state."""
    usual: dict[str, Any] = {
        "stage": None, "progress": None, "position": None, "starts_in": None, "retry_in": None,
        "title": "A film", "duration_seconds": None, "note": None, "artifacts": (), "offers": None,
        "error": None, "watch_url": None,
    }  # fmt: skip
    return JobView(job_id=ID, state=state, **usual | about)


def as_sent(told: Message) -> dict[str, Any]:
    """The message as it goes to Slack, which takes it; raises what Slack would say otherwise."""
    assert told.text
    return {"text": told.text, "blocks": check_message([*told.blocks])}


def does(told: Message) -> Pings:
    """Whom the message pings, and where its links lead."""
    return pings(as_sent(told) | {"text": ""})


def shown(told: Message) -> str:
    """The message as people read it."""
    return read_blocks(as_sent(told)["blocks"])


def notified(told: Message) -> str:
    """The message as a notification reads."""
    assert not pings({"text": told.text}).anybody
    return read(told.text)


def buttons(told: Message) -> Iterator[dict[str, Any]]:
    """The buttons, in their order."""
    for block in told.blocks:
        if block["type"] == "actions":
            yield from block["elements"]


def actions(told: Message) -> dict[str, str]:
    """What each button does, by its label."""
    return {each["text"]["text"]: each["action_id"] for each in buttons(told)}
