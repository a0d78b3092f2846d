"""Whatever comes signed, the app goes on."""

import logging
import traceback
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.bots.slack.conftest import Chatting
from tests.bots.slack.test_http import chat, slack
from tests.bots.slack.test_reading import PAYLOADS, broken
from tests.slack.recorded import recorded

__all__ = ["chat", "slack"]

LINK = "https://example.com/watch?v=abc123"
KINDS = {
    "app_mention": "events_api", "message_im": "events_api", "message_im_own_edit": "events_api",
    "app_home_opened": "events_api", "link_shared_composer": "events_api", "block_actions": "interactive",
    "message_action": "interactive", "shortcut": "interactive", "view_submission": "interactive",
    "slash_command": "slash_commands", "app_uninstalled": "events_api", "tokens_revoked": "events_api",
}  # fmt: skip


@pytest.mark.slow
async def test_broken_payloads_neither_fail_nor_stop_the_app(
    chat: Chatting, caplog: pytest.LogCaptureFixture
) -> None:
    http = chat.slack.http
    assert http is not None
    caplog.set_level(logging.ERROR)

    async def post(kind: str, body: dict[str, Any]) -> None:
        caplog.clear()
        await http.post(kind, body)
        ours = [frame for record in caplog.records for frame in frames_of(record) if is_ours(frame)]
        assert ours == [], f"{kind} {body}: {caplog.text[-2000:]}"

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def draw(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(KINDS)))
        bodies.append((KINDS[name], broken(recorded(name), data)))

    @settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(sorted(set(KINDS.values()))), PAYLOADS)
    def invent(kind: str, body: dict[str, Any]) -> None:
        bodies.append((kind, body))

    bodies: list[tuple[str, dict[str, Any]]] = []
    draw()
    invent()
    for kind, body in bodies:
        await post(kind, encodable(body) if kind == "slash_commands" else body)
    assert (await chat.ann.runs(f"/get {LINK}", chat.channel)).is_acked
    await chat.channel.shows("Queued")


def frames_of(record: logging.LogRecord) -> list[str]:
    """The files that an error came through; bolt itself fails on what Slack would never send."""
    error = record.exc_info[1] if record.exc_info else None
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)] if error else []


def is_ours(file: str) -> bool:
    """Whether an error came through a handler of ours."""
    return "/bots/" in file and not file.endswith("http.py")


def encodable(body: dict[str, Any]) -> dict[str, Any]:
    """What a form can hold."""
    return {key: str(value).encode(errors="replace").decode() for key, value in body.items()}
