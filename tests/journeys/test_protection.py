"""Inside ECS a worker that carries jobs is protected. An agent of ours stands in for ECS's.

It answers as amazon-ecs-agent does: what was set under `protection`, or why not under `failure`.
"""

import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from linkferry import protection
from linkferry.protection import EXPIRY, LONGEST, PAUSE, RENEWAL, Protection
from shared.models import JobState
from tests.journeys.service import open_service, settings_for, slowly
from tests.site.server import MediaSite
from tests.waiting import eventually
from worker.child import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ON = {"ProtectionEnabled": True, "ExpiresInMinutes": EXPIRY}
OFF = {"ProtectionEnabled": False}
REFUSED = {"failure": {"Arn": "arn:aws:ecs:::task/a", "Reason": "DEPLOYMENT_BLOCKED"}}


class Agent(ThreadingHTTPServer):
    """ECS's agent as far as we talk to it. `told`: what it heard; `answer`: what it says instead of yes."""

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.answer: bytes | None = None
        super().__init__(("127.0.0.1", 0), AgentHandler)
        self.address = f"http://127.0.0.1:{self.server_port}/api/a1b2"


class AgentHandler(BaseHTTPRequestHandler):
    server: Agent

    def do_PUT(self) -> None:
        words = json.loads(self.rfile.read(int(self.headers["content-length"])))
        known = self.path == "/api/a1b2/task-protection/v1/state"
        known &= self.headers["content-type"] == "application/json"
        known &= isinstance(words["ProtectionEnabled"], bool)
        known &= 1 <= words.get("ExpiresInMinutes", 120) <= 2880
        self.server.told.append(words)
        protected = {"protection": {"ProtectionEnabled": words["ProtectionEnabled"], "TaskArn": "arn"}}
        said = self.server.answer
        if said is None:
            said = json.dumps(protected if known else {"error": {"Code": "InvalidParameter"}}).encode()
        self.send_response(200 if known else 400)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def work() -> dict[str, bool]:
    return {"busy": False}


@pytest.fixture
def protected(agent: Agent, work: dict[str, bool]) -> Protection:
    return Protection(agent.address, lambda: work["busy"])


async def test_it_is_told_when_work_begins_and_ends_and_now_and_then_between(
    agent: Agent, protected: Protection, work: dict[str, bool]
) -> None:
    await protected.look(0)
    assert agent.told == [], "a task is not protected unless it asks"
    work["busy"] = True
    for now in (10, 10 + RENEWAL - 1, 10 + RENEWAL):
        await protected.look(now)
    assert agent.told == [ON, ON]
    assert RENEWAL < EXPIRY * 60, "it does not expire in between"
    work["busy"] = False
    for now in (200, 300):
        await protected.look(now)
    assert agent.told == [ON, ON, OFF]


async def test_a_worker_that_never_rests_lets_a_deployment_end(
    agent: Agent, protected: Protection, work: dict[str, bool]
) -> None:
    work["busy"] = True
    for now in (0, LONGEST - 1, LONGEST, LONGEST + PAUSE - 1, LONGEST + PAUSE):
        await protected.look(now)
    assert agent.told == [ON, ON, OFF, ON]


@pytest.mark.parametrize(
    "answer", [json.dumps(REFUSED).encode(), b'{"error": {"Code": "x"}}', b"", b"\xff 5"]
)
async def test_a_refusal_is_logged_and_it_is_told_again(
    agent: Agent,
    protected: Protection,
    work: dict[str, bool],
    answer: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    work["busy"], agent.answer = True, answer
    with caplog.at_level(logging.WARNING, "linkferry.protection"):
        for now in (0, RENEWAL - 1):
            await protected.look(now)
        assert len(caplog.records) == 1
        agent.answer = None
        await protected.look(RENEWAL)
    assert (agent.told, len(caplog.records)) == ([ON, ON], 1)


@pytest.mark.parametrize("address", ["http://127.0.0.1:1/api", "nonsense", "http://[", "http://host:port/x"])
async def test_an_agent_that_is_not_there_is_only_logged(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "linkferry.protection"):
        await Protection(address, lambda: True).look(0)
    assert len(caplog.records) == 1


async def test_a_job_is_carried_under_protection(
    tmp_path: Path, site: MediaSite, children: ChildServer, agent: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def heard(words: dict[str, Any]) -> bool:
        return bool(agent.told) and agent.told[-1] == words

    monkeypatch.setattr(protection, "LOOK", 0.05)
    monkeypatch.setenv(protection.AGENT, agent.address)
    async with open_service(settings_for(tmp_path / "data", site), site, children) as service:
        asked = await service.ask(slowly(50_000))
        await service.downloading(asked)
        await eventually(lambda: heard(ON))
        await service.cancel(asked)
        assert (await service.ended(asked)).state is JobState.CANCELLED
        await eventually(lambda: heard(OFF))
    assert agent.told == [ON, OFF]
