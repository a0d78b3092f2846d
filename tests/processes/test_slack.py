"""Slack with everything real behind it: bots, workers, RabbitMQ and PostgreSQL as processes of their own.

Slack itself is the double, on the loop of the test; whatever would block that loop runs in a thread.
"""

import asyncio
import hashlib
import signal
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio

from tests.bots.slack.conftest import double
from tests.processes.cluster import PATIENCE, Cluster, Process
from tests.slack.channels import Channel
from tests.slack.double import SlackDouble
from tests.slack.people import Person
from tests.slack.shown import Message


def is_finished(shown: Message) -> bool:
    """Whether it has the buttons of a result."""
    return "Download" in shown.labels


class Town:
    """Ann, a channel that the app is in, and the cluster behind it."""

    def __init__(self, cluster: Cluster, slack: SlackDouble) -> None:
        self.cluster = cluster
        self.slack = slack
        self.ann: Person = slack.user("Ann")
        self.channel: Channel = slack.channel("films", [self.ann], bot=True)
        self.settings = {"SLACK_BOT_TOKEN": slack.token, "SLACK_API_URL": slack.api_url}
        self.socket = self.settings | {"SLACK_APP_TOKEN": slack.app_token}
        self.signed = self.settings | {"SLACK_SIGNING_SECRET": slack.signing_secret}

    async def bots(self) -> Process:
        """`linkferry bots` in Socket Mode, once it listens."""
        return await self.starts("Slack: listening in Socket Mode", **self.socket)

    async def starts(self, words: str, **settings: str) -> Process:
        """`linkferry bots`, once its log has these words."""
        process = await asyncio.to_thread(self.cluster.start, "bots", **settings)
        await self.until(lambda: not process.runs() or process.says(words))
        assert process.runs(), process.log.read_text()
        return process

    async def worker(self) -> Process:
        """One, once it works."""
        return await asyncio.to_thread(self.cluster.worker)

    async def until(self, fits: Callable[[], object], otherwise: str = "waited in vain") -> None:
        """Wait for what the double does not tell of."""
        end = time.monotonic() + PATIENCE
        while not fits():
            assert time.monotonic() < end, otherwise
            await asyncio.sleep(0.05)

    async def shows(self, what: str | Callable[[Message], Any]) -> Message:
        """What the channel shows once it does."""
        return await self.channel.shows(what, PATIENCE)

    async def runs(self, line: str) -> None:
        """Ann's command is taken, and nothing is said but the status message."""
        command = await self.ann.runs(line, self.channel)
        assert command.is_acked, command.outcomes
        assert not command.answer

    async def delivered(self, count: int) -> None:
        """Wait until so many requests are over, and no more are left."""
        await self.until(
            lambda: [row["delivery"] for row in self.cluster.rows("requests")] == ["delivered"] * count
        )

    def transcript(self) -> str | None:
        """The thread in which the transcript is, once, below its summary; it is what was stored."""
        *_, summary, shown = self.channel.messages
        (file,) = self.channel.files
        assert len(self.channel.messages) == 4 and summary.text and summary.thread_ts == shown.thread_ts
        stored = [row["sha256"] for row in self.cluster.rows("artifacts", kind="transcript")]
        assert hashlib.sha256(file.content).hexdigest() in stored
        return file.thread_ts

    def refused(self) -> list[str]:
        """The calls that Slack did not take."""
        return [f"{call.method}: {call.error}" for call in self.slack.calls if call.error]


@pytest_asyncio.fixture
async def town(cluster: Cluster) -> AsyncIterator[Town]:
    async with double(limits=True, ack_patience=PATIENCE) as slack:
        yield Town(cluster, slack)
        for process in cluster.processes:
            for secret in (slack.token, slack.app_token, slack.signing_secret):
                assert secret not in process.log.read_text(), "nobody's log tells a secret"
            await asyncio.to_thread(process.end)


async def test_one_message_becomes_the_film_and_another_has_the_transcript_in_its_thread(town: Town) -> None:
    await town.bots()
    await town.worker()
    link = town.cluster.site.url("/watch/sample")
    await town.runs(f"/get {link}")
    film = await town.shows(is_finished)
    assert [one.ts for one in town.channel.messages] == [film.ts]
    assert not is_finished(town.channel.history[0]), "it was there before the film was"
    assert len(town.slack.made("chat.postMessage")) == 1
    await town.runs(f"/subs {link} en")
    await town.delivered(2)
    assert town.transcript() == town.channel.messages[1].ts
    assert town.refused() == []


async def test_by_http_one_process_takes_and_another_shows(town: Town) -> None:
    await asyncio.to_thread(town.cluster.web, **town.signed)
    await asyncio.gather(town.starts("/slack/events", **town.signed), town.worker())
    own = f"http://127.0.0.1:{town.cluster.port}"
    await town.slack.delivers_to(f"{own}/slack/events")
    await town.slack.verifies_url()
    link = town.cluster.site.url("/watch/sample")
    await town.runs(f"/get {link}")
    await town.runs(f"/subs {link} en")
    film = await town.shows(lambda shown: "Watch" in shown.labels)
    saved = await asyncio.to_thread(town.cluster.api.get, film.button("Download").url or "")
    assert saved.content == town.cluster.site.root.joinpath("media/sample.mp4").read_bytes()
    await town.delivered(2)
    (other,) = {one.ts for one in town.channel.messages if one.thread_ts is None} - {film.ts}
    assert town.transcript() == other
    assert town.refused() == [] and town.slack.socket.urls == 0


@pytest.mark.parametrize("applies", [False, True], ids=["before-the-post", "before-the-note"])
async def test_bots_killed_before_a_status_message_is_noted_bring_it_once(town: Town, applies: bool) -> None:
    """The request is stored, and Slack may have the message: the next process looks before it posts."""
    bots = await town.bots()
    town.slack.hang_next("chat.postMessage", applies=applies)
    await town.runs(f"/get {town.cluster.site.url('/watch/sample')}")
    await town.until(lambda: town.slack.made("chat.postMessage"))
    await town.until(lambda: len(town.channel.messages) == int(applies))
    bots.send(signal.SIGKILL)
    await asyncio.to_thread(bots.wait)
    (request,) = town.cluster.rows("requests")
    assert request["status_message"] is None
    town.cluster.forget_claims()
    await asyncio.gather(town.bots(), town.worker())
    film = await town.shows(is_finished)
    await town.delivered(1)
    assert [one.ts for one in town.channel.messages] == [film.ts]
    assert len(town.slack.made("chat.postMessage")) == (1 if applies else 2)
    assert town.refused() == []
