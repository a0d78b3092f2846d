"""The app with a database of its own, in a workspace that the double of Slack keeps."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

import bots.herald
import bots.slack.life
import bots.slack.replies
import linkferry.slack
from bots.slack.manifest import EVENTS, SCOPES
from linkferry.chats import running_chats
from linkferry.compose import Parts, delivering, open_parts
from shared import deliveries
from shared.chat import MessageClient
from shared.jobs import Fence
from shared.models import Artifact, ArtifactKind, Job, JobState, Request
from shared.search.words import title_words
from shared.settings import Settings
from tests.shared.conftest import an_artifact, end
from tests.slack.channels import Channel
from tests.slack.double import SlackDouble
from tests.slack.people import Person


def settings_for(data_dir: Path, slack: SlackDouble, **changes: Any) -> Settings:
    """Settings of an app at the double, in Socket Mode."""
    given: dict[str, Any] = {
        "data_dir": data_dir,
        "slack_bot_token": slack.token,
        "slack_app_token": slack.app_token,
        "slack_api_url": slack.api_url,
    }
    return Settings(_env_file=None, **(given | changes))


@dataclass
class Chatting:
    """A running app without a worker: jobs stay queued. Ann and Bob are in the channel, Ada is an admin."""

    slack: SlackDouble
    parts: Parts
    deliver: Any
    ann: Person
    bob: Person
    ada: Person
    channel: Channel

    @property
    def dm(self) -> Channel:
        """Ann alone with the app."""
        return self.slack.dm(self.ann)

    async def requests(self) -> list[Request]:
        """Everything asked for, oldest first."""
        async with self.parts.database.read() as session:
            return list(await session.scalars(select(Request).order_by(Request.id)))

    async def jobs(self) -> list[Job]:
        """Every job, oldest first."""
        async with self.parts.database.read() as session:
            return list(await session.scalars(select(Job).order_by(Job.id)))

    async def finish(self, title: str = "A film", *files: Artifact, **values: Any) -> None:
        """The worker has done the newest job; with a film unless other files are named."""
        job = (await self.jobs())[-1]
        async with self.parts.database.write() as session:
            row = await session.get_one(Job, job.id)
            row.state, row.attempt, row.title = JobState.RUNNING, 1, title
            row.title_words = title_words(title)
            for name, value in values.items():
                setattr(row, name, value)
        async with self.parts.database.write() as session:
            await end(session, Fence(job.id, 1), *(files or [an_artifact(job.id)]))
        self.deliver()

    async def transcript(self, text: str = "Hello <!channel>.\n") -> Artifact:
        """A stored transcript of the newest job."""
        job, source = (await self.jobs())[-1], self.parts.settings.data_dir / "transcript"
        source.write_text(text)
        artifact = an_artifact(job.id)
        artifact.kind, artifact.format, artifact.file_name = (
            ArtifactKind.TRANSCRIPT,
            "txt",
            "<!channel>.en.txt",
        )
        artifact.language, artifact.source = "en", "automatic"
        artifact.storage_key, artifact.size = f"{job.id}/transcript.txt", len(text)
        await self.parts.storage.put(artifact.storage_key, source)
        return artifact


async def eventually(fits: Callable[[], bool]) -> None:
    """Wait until it is so; for what the double does not tell of as people would see it."""
    async with asyncio.timeout(60):
        while not fits():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def chatting(settings: Settings) -> AsyncIterator[tuple[Parts, Any, list[Any]]]:
    """The chats of a process that has no worker; its parts, the deliverer's nudge, and its routers."""
    clients: dict[str, MessageClient] = {}
    async with (
        open_parts(settings) as parts,
        delivering(parts, clients) as deliverer,
        running_chats(parts, clients, deliverer) as routers,
    ):
        yield parts, deliverer.nudge, routers


def chat_in(slack: SlackDouble, parts: Parts, nudge: Any) -> Chatting:
    """Three people and a channel with the app in it."""
    ann, bob, ada = slack.user("Ann"), slack.user("Bob"), slack.user("Ada", is_admin=True)
    channel = slack.channel("films", [ann, bob, ada], bot=True)
    return Chatting(slack, parts, nudge, ann, bob, ada, channel)


@pytest_asyncio.fixture
async def slack() -> AsyncIterator[SlackDouble]:
    async with double() as running:
        yield running


def double(**changes: Any) -> SlackDouble:
    """A server whose app has what the manifest asks for, and no more; a lost answer costs little time."""
    given: dict[str, Any] = {
        "limits": False,
        "scopes": set(SCOPES),
        "events": set(EVENTS),
        "commands": {"/get", "/subs", "/status", "/ferry"},
        "ack_patience": 30.0,  # Slack's are 3; what is late on a busy machine is not lost
    }
    return SlackDouble(**(given | changes))


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same rules, but nobody waits long after an error."""
    monkeypatch.setattr(bots.slack.life, "PAUSES", (0.05, 0.2))
    monkeypatch.setattr(bots.slack.replies, "RESPOND_PAUSES", (0.01, 0.01))
    monkeypatch.setattr(bots.herald, "PAUSE", 0.05)
    monkeypatch.setattr(bots.herald, "GRACE", 0.1)
    monkeypatch.setattr(deliveries, "POST_CLAIM", 0.5)
    monkeypatch.setattr(linkferry.slack, "windows", lambda chat: ())  # the pace has tests of its own
    yield


@pytest_asyncio.fixture
async def chat(slack: SlackDouble, tmp_path: Path) -> AsyncIterator[Chatting]:
    async with chatting(settings_for(tmp_path / "data", slack)) as (parts, nudge, _):
        await slack.socket.connected()
        yield chat_in(slack, parts, nudge)
