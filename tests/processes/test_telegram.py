"""Telegram with everything real behind it: bots, workers, RabbitMQ and PostgreSQL as processes of their own.

Telegram itself is the double, on the loop of the test; whatever would block that loop runs in a thread.
"""

import asyncio
import hashlib
import json
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from subprocess import run
from typing import Any

import pytest_asyncio

from tests.journeys.service import slowly
from tests.processes.cluster import LONG_LEASE, PATIENCE, Cluster, Process, gone
from tests.telegram.acts import Press, Sent
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private
from tests.telegram.shown import Shown

MEDIUM = 200_000  # bytes a second: the film has a good million
SECRET = "a-secret-of-the-tests"


def streams(path: Path) -> dict[str, Any]:
    """What ffprobe finds: the seconds, and the codec and height of each stream."""
    fields = ["-show_entries", "format=duration:stream=codec_name,height", "-of", "json"]
    done = run(["ffprobe", "-v", "error", *fields, str(path)], capture_output=True, check=True)
    found = json.loads(done.stdout)
    return {
        "seconds": float(found["format"]["duration"]),
        "streams": {stream["codec_name"]: stream.get("height") for stream in found["streams"]},
    }


def is_film(shown: Shown) -> bool:
    """Whether it plays in the chat."""
    return shown.media is not None and shown.media.kind == "video"


class Town:
    """Ann, her chat with the bot, and the cluster behind it."""

    def __init__(self, cluster: Cluster, telegram: TelegramDouble) -> None:
        self.cluster = cluster
        self.telegram = telegram
        self.ann = telegram.user("Ann")
        self.chat: Private = telegram.private(self.ann)
        self.settings = {
            "TELEGRAM_TOKEN": telegram.token,
            "TELEGRAM_API_URL": telegram.url,
            "TELEGRAM_ALLOWED": str(self.ann.id),
        }

    async def bots(self, **settings: str) -> Process:
        """`linkferry bots`, once it listens."""
        process = await asyncio.to_thread(self.cluster.start, "bots", **(self.settings | settings))
        await self.until(lambda: not process.runs() or process.says("listens"))
        assert process.runs(), process.log.read_text()
        return process

    async def workers(self, count: int, lease: str = LONG_LEASE) -> list[Process]:
        """So many, once they work."""
        return await asyncio.to_thread(self.cluster.workers, count, LEASE=lease)

    async def opens(self, workers: int, lease: str = LONG_LEASE) -> tuple[Process, list[Process]]:
        """Bots, which make the tables, then workers."""
        return await self.bots(), await self.workers(workers, lease)

    async def until(self, fits: Callable[[], bool], otherwise: str = "waited in vain") -> None:
        """Wait for it, while the double goes on."""
        await self.telegram.until(fits, PATIENCE, otherwise)

    async def shows(self, what: str | Callable[[Shown], Any]) -> Shown:
        """What the chat shows once it does."""
        return await self.chat.shows(what, PATIENCE)

    async def kill(self, process: Process) -> None:
        """Gone at once, with nothing said."""
        process.send(signal.SIGKILL)
        await asyncio.to_thread(process.wait)

    def rows(self, table: str) -> list[dict[str, Any]]:
        """All of them, oldest first."""
        return sorted(self.cluster.rows(table), key=lambda row: str(row["id"]))

    async def running(self) -> str:
        """The job, once bytes of it have arrived."""
        await self.until(lambda: any(row["state"] == "running" for row in self.rows("jobs")))
        (job,) = self.rows("jobs")
        await self.until(lambda: self.cluster.bytes_of(str(job["id"])) > 100_000)
        return str(job["id"])

    async def sends_a_film(self, before: int) -> None:
        """Wait until the bots have begun to send one more film than so many."""
        await self.until(lambda: len(self.telegram.made("editMessageMedia")) > before)

    def film(self) -> bytes:
        """What the site has."""
        return self.cluster.site.root.joinpath("media/sample.mp4").read_bytes()

    def shown_films(self) -> list[Shown]:
        """Every state of a message that was a film."""
        return [one for one in self.chat.history if is_film(one)]


@pytest_asyncio.fixture
async def town(cluster: Cluster) -> AsyncIterator[Town]:
    async with TelegramDouble(allow_http=True) as telegram:
        yield Town(cluster, telegram)
        for process in cluster.processes:
            assert telegram.token not in process.log.read_text(), "nobody's log tells the token"
            await asyncio.to_thread(process.end)


async def test_a_link_becomes_a_question_and_the_answer_a_film_that_plays(town: Town, tmp_path: Path) -> None:
    await town.opens(1)
    await town.chat.sends(town.cluster.site.url("/hls/master.m3u8"))
    question = await town.shows(lambda shown: "Audio" in shown.labels)
    assert [label.split(" ")[0] for label in question.labels] == ["720p", "360p", "Audio", "Transcript"]
    label = question.labels[0]
    presses = [await town.chat.presses(question, label) for _ in range(2)]
    assert await presses[0].answered(PATIENCE) == "On it."
    assert await presses[1].answered(PATIENCE)
    film = await town.shows(is_film)
    assert (film.message_id, len(town.chat.messages)) == (question.message_id, 1)
    assert film.media is not None and "720p" in film.text
    received = tmp_path / "received.mp4"
    received.write_bytes(film.media.content)
    expected = streams(town.cluster.site.root / "hls" / "video-720.mp4")
    found = streams(received)
    assert found["streams"] == {"h264": 720, "aac": None}
    assert abs(found["seconds"] - expected["seconds"]) < 0.5
    assert abs(film.media.duration - expected["seconds"]) <= 1
    assert (film.media.width, film.media.height) == (1280, 720)
    (video,) = town.cluster.rows("artifacts", kind="video")
    assert hashlib.sha256(film.media.content).hexdigest() == video["sha256"], "what was stored has arrived"
    await the_bytes_of_the_site_arrive_as_they_are(town, after=film)
    assert town.telegram.too_many == 0


async def the_bytes_of_the_site_arrive_as_they_are(town: Town, after: Shown) -> None:
    """What needs no work is not worked on; in the same town, because its processes take long to start."""
    await town.chat.sends(f"/get {town.cluster.site.url('/watch/sample')}")
    film = await town.shows(lambda shown: is_film(shown) and shown.message_id != after.message_id)
    assert film.media is not None and film.media.content == town.film()
    assert film.media.thumbnail is not None, "the picture of the page, made small"
    assert film.text.splitlines()[1].startswith("video · 360p · mp4 · 1.1 MB")


async def test_a_worker_that_dies_is_followed_by_another_in_the_same_message(town: Town) -> None:
    _, workers = await town.opens(2, lease="6")
    await town.chat.sends(f"/get {town.cluster.site.url(slowly(MEDIUM))}")
    status = await town.shows("Downloading")
    job_id = await town.running()
    first = town.cluster.carrier(job_id)
    family = first.children()
    await town.kill(first)
    film = await town.shows(is_film)
    assert (film.message_id, len(town.chat.messages)) == (status.message_id, 1)
    assert film.media is not None and film.media.content == town.film()
    (job,) = town.rows("jobs")
    assert (job["attempt"], job["crashes"], job["failures"]) == (2, 1, 0)
    assert [one.runs() for one in workers if one is not first] == [True]
    assert len(town.shown_films()) == 1 and len(town.telegram.made("sendMessage")) == 1
    await town.until(lambda: gone(family))


async def asked_while_nothing_answers(town: Town, applies: bool) -> tuple[Process, Sent]:
    """A link is stored, but not confirmed; the status message is under way, and nobody answers the bot."""
    bots = await town.bots()
    await town.until(lambda: bool(town.telegram.made("getUpdates")))
    town.telegram.hang_next("getUpdates")
    town.telegram.hang_next("sendMessage", applies=applies)
    sent = await town.chat.sends(f"/get {town.cluster.site.url('/watch/sample')}")
    await town.until(lambda: bool(town.rows("requests")))
    await town.until(lambda: bool(town.telegram.made("sendMessage")))
    await town.until(lambda: len(town.chat.messages) == int(applies))
    assert sent.update in list(town.telegram.updates.pending.values()), "it is not confirmed"
    await town.kill(bots)
    town.cluster.forget_claims()
    return bots, sent


async def test_bots_killed_before_an_update_is_confirmed_take_it_once(town: Town) -> None:
    await asked_while_nothing_answers(town, applies=False)
    assert town.chat.messages == []
    await asyncio.gather(town.bots(), town.workers(1))
    film = await town.shows(is_film)
    await town.until(lambda: not town.telegram.updates.pending)
    assert film.media is not None and film.media.content == town.film()
    assert len(town.rows("requests")) == len(town.rows("jobs")) == len(town.chat.messages) == 1


async def test_bots_killed_before_a_post_is_noted_post_again_but_bring_one_result(town: Town) -> None:
    """Telegram has no way to ask whether a message was sent, so the first one stays; its button works."""
    await asked_while_nothing_answers(town, applies=True)
    (orphan,) = town.chat.messages
    assert town.rows("requests")[0]["status_message"] is None
    await asyncio.gather(town.bots(), town.workers(1))
    film = await town.shows(is_film)
    await town.until(lambda: not town.telegram.updates.pending)
    assert [one.message_id for one in town.chat.messages] == [orphan.message_id, film.message_id]
    assert len(town.shown_films()) == len(town.rows("requests")) == 1
    press: Press = await town.chat.presses(orphan, "Cancel")
    assert (await press.answered(PATIENCE)).startswith("That is over already")


async def test_bots_killed_while_a_film_is_sent_bring_it_once(town: Town) -> None:
    bots, _ = await town.opens(1)
    for applies in (False, True):
        town.telegram.hang_next("editMessageMedia", applies=applies)
        sent = len(town.telegram.made("editMessageMedia"))
        await town.chat.sends(f"/get {town.cluster.link()}")
        await town.sends_a_film(sent)
        if applies:
            await town.until(lambda: is_film(town.chat.messages[-1]))
        await town.kill(bots)
        request = town.rows("requests")[-1]
        assert request["delivery"] == "pending"
        town.cluster.forget_claims()
        bots = await town.bots()
        await town.until(lambda: town.rows("requests")[-1]["delivery"] == "delivered")
    assert [is_film(one) for one in town.chat.messages] == [True, True]
    assert [one.media.content == town.film() for one in town.chat.messages if one.media] == [True, True]
    assert len(town.rows("requests")) == 2


async def test_by_webhook_one_process_takes_and_another_shows(town: Town) -> None:
    """Telegram pushes to the https address, where a proxy hands on to the web process: the test is both."""
    public = "https://films.example"
    pushed = {"PUBLIC_URL": public, "TELEGRAM_WEBHOOK_SECRET": SECRET}
    await asyncio.to_thread(town.cluster.web, **(town.settings | pushed))
    await asyncio.gather(town.bots(**pushed), town.workers(1))
    webhook = town.telegram.updates.webhook
    assert webhook is not None and webhook.url == f"{public}/telegram/webhook"
    webhook.url = webhook.url.replace(public, f"http://127.0.0.1:{town.cluster.port}")
    await town.chat.sends(town.cluster.site.url("/watch/sample"))
    question = await town.shows(lambda shown: "Audio" in shown.labels)
    press = await town.chat.presses(question, question.labels[0])
    assert await press.answered(PATIENCE) == "On it."
    film = await town.shows(is_film)
    assert (film.message_id, len(town.chat.messages)) == (question.message_id, 1)
    assert film.media is not None and film.media.content == town.film()
    watch, download = (film.button(label).url or "" for label in ("Watch", "Download"))
    assert watch.startswith(f"{public}/") and download.startswith(f"{public}/")
    opened = await asyncio.to_thread(town.cluster.api.get, watch.removeprefix(public))
    assert opened.status_code == 200
    saved = await asyncio.to_thread(town.cluster.api.get, download.removeprefix(public))
    assert saved.content == town.film(), "the web process serves what the worker stored"
    assert not town.telegram.made("getUpdates") and not town.telegram.updates.pending
