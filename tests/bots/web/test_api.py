"""The REST API over real HTTP: uvicorn on a free port and a real database; no worker, so jobs wait."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from sqlalchemy import text, update
from starlette.requests import HTTPConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from bots.finder import Hit, Hits, Spot
from bots.web.api import NOT_A_REQUEST
from bots.web.app import create_app
from bots.web.guard import is_local, is_loopback
from bots.web.search import answer
from linkferry.compose import Parts, open_parts
from shared.errors import Code, JobError
from shared.health import NEEDS
from shared.models import Job, JobState
from shared.monitor import Monitor
from shared.queue import EmbeddedQueue
from shared.search.moments import Moment, Piece
from shared.search.words import title_words
from shared.settings import Settings
from tests.bots.room import has_no_room
from tests.shared.chat.telegram.views import a_view
from tests.tracing import kept
from tests.waiting import eventually

LINK = "https://video.example/watch/1"
KEY = "a-key-that-nobody-guesses"
NOWHERE = "00000000-0000-7000-8000-000000000000"


class Endpoint:
    """A running web endpoint."""

    def __init__(self, parts: Parts, port: int, client: httpx.AsyncClient) -> None:
        self.parts, self.port, self.client = parts, port, client

    async def ask(self, text: str = LINK, **headers: str) -> httpx.Response:
        return await self.client.post("/api/requests", json={"text": text}, headers=headers)

    async def job(self, text: str = LINK) -> str:
        return str((await self.ask(text)).json()[0]["job"]["job_id"])

    def watch(self, job: str, **options: Any) -> connect:
        return connect(f"ws://127.0.0.1:{self.port}/api/jobs/{job}/events", proxy=None, **options)

    def watched(self) -> int:
        queue = self.parts.queue
        assert isinstance(queue, EmbeddedQueue)
        return len(queue._watchers)


@asynccontextmanager
async def running(folder: Path, **values: object) -> AsyncIterator[Endpoint]:
    """The endpoint until the block ends."""
    settings = Settings(_env_file=None, data_dir=folder, **values)  # type: ignore[call-arg, arg-type]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
        async with open_parts(settings) as parts:
            monitor = Monitor(settings, NEEDS["web"])
            monitor.watch(parts.database, parts.queue, parts.storage)
            app = create_app(
                settings,
                parts.database,
                parts.queue,
                parts.storage,
                parts.links,
                parts.intake,
                parts.follower,
                monitor,
            )
            server = uvicorn.Server(
                uvicorn.Config(app, log_config=None, lifespan="off", ws="websockets-sansio")
            )
            server.capture_signals = _no_signals  # type: ignore[method-assign, assignment]
            serving = asyncio.create_task(server.serve([listener]))
            async with httpx.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
            ) as client:
                await eventually(lambda: server.started)
                yield Endpoint(parts, port, client)
            server.should_exit = True
            await serving


class _no_signals:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        yield endpoint


def sentence(response: httpx.Response) -> str:
    """The one sentence of an error; it is short whatever was sent."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert body.keys() == {"detail"} and isinstance(body["detail"], str) and len(body["detail"]) < 300
    return str(body["detail"])


async def test_who_has_fetched_enough_gets_429_and_when_there_is_room(tmp_path: Path) -> None:
    async with running(tmp_path, max_gb_per_user_per_day=2) as limited:
        first = await limited.job()
        async with limited.parts.database.write() as session:
            await session.execute(update(Job).where(Job.id == UUID(first)).values(fetched=2 * 10**9))
        refused = await limited.ask("https://video.example/watch/2")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "86400")
        assert sentence(refused).startswith("You have fetched the 2 GB")
        assert (await limited.ask()).status_code == 202, "that link is being carried already"


async def test_without_room_for_a_request_it_says_so(web: Endpoint) -> None:
    async with web.parts.database.write() as session:
        await session.execute(text("PRAGMA max_page_count = 1"))  # of the connection that is used next, too
    for number in range(200):  # a page or two are left
        if (refused := await web.ask(f"{LINK}?{number}")).status_code != 202:
            break
    assert (refused.status_code, sentence(refused)) == (507, JobError(Code.DISK_FULL).message)


async def test_without_room_to_note_that_a_job_is_cancelled_it_says_so(web: Endpoint) -> None:
    job = await web.job()
    async with has_no_room(web.parts.database):
        refused = await web.client.post(f"/api/jobs/{job}/cancel")
    assert (refused.status_code, sentence(refused)) == (507, JobError(Code.DISK_FULL).message)


async def test_ask_look_cancel(web: Endpoint) -> None:
    asked = await web.ask()
    assert asked.status_code == 202
    [accepted] = asked.json()
    job = accepted["job"]["job_id"]
    assert accepted["job"]["state"] == "queued" and UUID(accepted["request_id"])
    assert (await web.client.get(f"/api/jobs/{job}")).json()["position"] == 1
    stopped = await web.client.post(f"/api/jobs/{job}/cancel")
    assert (stopped.status_code, stopped.json()["state"]) == (202, "cancelled")
    assert (await web.client.post(f"/api/jobs/{job}/cancel")).json()["state"] == "cancelled"


async def test_a_request_begins_a_trace_that_names_no_address(web: Endpoint) -> None:
    with kept() as traces:
        await web.job(f"{LINK}?token=secret")
        assert (await web.client.get("/f/a-token/film.mp4")).status_code == 404
    assert [span.name for span in traces.ended()] == ["submit", "api request"], "the framework adds none"
    assert traces.way(traces.one("submit")) == ["api request", "submit"]
    assert not any("secret" in str(span.facts) for span in traces.ended())


async def test_search_finds_what_this_api_asked_for_and_says_what_to_do(web: Endpoint) -> None:
    job = UUID(await web.job())
    async with web.parts.database.write() as session:
        values = {"state": JobState.DONE, "title": "Déjà <vu>", "title_words": title_words("Déjà <vu>")}
        await session.execute(update(Job).where(Job.id == job).values(**values))
    found = (await web.client.get("/api/search", params={"q": '"deja vu"'})).json()
    assert [(video["job"]["job_id"], video["moments"]) for video in found["videos"]] == [(str(job), [])]
    assert found["detail"] is None
    nothing = (await web.client.get("/api/search", params={"q": "else"})).json()
    assert nothing["videos"] == [] and nothing["detail"].startswith("Nothing of what you have fetched")
    assert nothing["detail"].endswith("such as q=budg*.")
    unread = (await web.client.get("/api/search", params={"query": "deja"})).json()
    assert "the parameter q" in unread["detail"] and "/find" not in unread["detail"]
    long = await web.client.get("/api/search", params={"q": "x" * 201})
    assert long.status_code == 422
    assert sentence(long) == "The query 'q' is not right: String should have at most 200 characters."


def test_a_moment_of_an_answer_shows_what_was_looked_for() -> None:
    pieces = Piece("a < "), Piece("b & c", True)
    view = a_view(JobState.DONE)
    (video,) = answer(Hits((Hit(view, (Spot(Moment(83.5, pieces), None),), 2),), None)).videos
    (moment,) = video.moments
    assert (moment.seconds, moment.text, moment.html) == (83.5, "a < b & c", "a &lt; <b>b &amp; c</b>")
    assert (video.more, moment.url) == (2, None)


async def test_one_key_is_one_request_and_one_link_is_one_job(web: Endpoint) -> None:
    headers = {"Idempotency-Key": "mine"}
    first, again, other = [(await web.ask(**h)).json()[0] for h in (headers, headers, {})]
    assert first["request_id"] == again["request_id"] != other["request_id"]
    assert first["job"]["job_id"] == other["job"]["job_id"]
    two = await web.ask(f"{LINK}?a {LINK}?b", **{"Idempotency-Key": "two"})
    assert len({accepted["job"]["job_id"] for accepted in two.json()}) == 2


@pytest.mark.parametrize(
    "text",
    ["", " ", "hello", "javascript:alert(1)", "--exec=rm -rf /", "/exec ls", "\x00\x1b[2J", "😀",
     "\u202e" + LINK[8:], "https://user:secret@a.example/", "https://a.example/" + "x" * 5000, "/status",
     "/get " + LINK + " \ud800x", LINK + " " * 17_000, "file:///etc/passwd"],
)  # fmt: skip
async def test_what_cannot_be_understood_is_a_sentence(web: Endpoint, text: str) -> None:
    body = json.dumps({"text": text})
    response = await web.client.post(
        "/api/requests", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code == 422
    assert "secret" not in sentence(response)


async def test_a_text_without_a_link_is_told_what_this_api_takes(web: Endpoint) -> None:
    assert sentence(await web.ask("hello")) == f"I see no link in that. {NOT_A_REQUEST}"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b'{"text": 1}', b'{"txt": "a"}', b'{"text": "\xff"}', b"[" * 100_000]
)
async def test_what_is_not_the_right_json_is_a_sentence(web: Endpoint, body: bytes) -> None:
    response = await web.client.post(
        "/api/requests", content=body, headers={"content-type": "application/json"}
    )
    assert response.status_code in (400, 422) and sentence(response)


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""]
)
async def test_only_json_is_read_which_no_form_of_another_site_can_send(web: Endpoint, kind: str) -> None:
    body = json.dumps({"text": LINK}).encode()
    response = await web.client.post(
        "/api/requests", content=body, headers={"content-type": kind} if kind else {}
    )
    assert response.status_code == 422 and "application/json" in sentence(response)


async def test_a_body_of_megabytes_is_refused_declared_or_not(web: Endpoint) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b" " * 8192

    declared = await web.client.post("/api/requests", json={"text": "x" * 300_000})
    counted = await web.client.post("/api/requests", content=chunks())
    assert {declared.status_code, counted.status_code} == {413}
    assert sentence(declared) == sentence(counted)
    assert "too long" in sentence(declared) and "Send fewer links" in sentence(declared)


async def test_ids(web: Endpoint) -> None:
    for response in (
        await web.client.get(f"/api/jobs/{NOWHERE}"),
        await web.client.post(f"/api/jobs/{NOWHERE}/cancel"),
    ):
        assert (response.status_code, sentence(response)) == (404, "There is no job with that id.")
    wrong = await web.client.get("/api/jobs/" + "x" * 3000)
    assert wrong.status_code == 422 and "UUID" in sentence(wrong)
    long = await web.ask(**{"Idempotency-Key": "x" * 201})
    assert long.status_code == 422 and "idempotency-key" in sentence(long)


@pytest.mark.parametrize(
    "headers",
    [{"host": "evil.example"}, {"host": "localhost.evil.example"}, {"host": "a@localhost"}, {"host": "[::1"},
     {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://localhost:1"},
     {"x-forwarded-for": "127.0.0.1"}, {"forwarded": "for=127.0.0.1"}],
)  # fmt: skip
async def test_without_keys_only_programs_here_are_answered(web: Endpoint, headers: dict[str, str]) -> None:
    response = await web.ask(**headers)
    assert response.status_code == 403 and "LINKFERRY_API_KEYS" in sentence(response)
    if "host" not in headers:
        with pytest.raises(InvalidStatus) as refused:
            async with web.watch(NOWHERE, additional_headers=headers):
                pass
        assert refused.value.response.status_code == 403


async def test_our_own_page_is_answered(web: Endpoint) -> None:
    assert (await web.ask(origin=f"http://127.0.0.1:{web.port}")).status_code == 202


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("::ffff:127.0.0.1", True),
     ("localhost", True), ("10.0.0.1", False), ("::ffff:10.0.0.1", False), ("0.0.0.0", False), ("", False),
     ("localhost.x", False)],
)  # fmt: skip
def test_who_is_on_this_machine(host: str, local: bool) -> None:
    assert is_loopback(host) is local
    scope = {"type": "http", "headers": [(b"host", b"localhost:8080")], "client": (host, 1)}
    assert is_local(HTTPConnection(scope)) is local


async def test_with_keys_only_their_holders_are_answered(tmp_path: Path) -> None:
    async with running(tmp_path, api_keys=f"another-key,{KEY}") as web:
        for wrong in (
            {},
            {"authorization": "Bearer no"},
            {"authorization": f"Basic {KEY}"},
            {"authorization": KEY},
        ):
            response = await web.ask(**wrong)
            assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer"
            assert "Bearer KEY" in sentence(response)
        right = {"authorization": f"Bearer {KEY}", "host": "ferry.example", "x-forwarded-for": "192.0.2.1"}
        assert (await web.ask(**right)).status_code == 202
        with pytest.raises(InvalidStatus):
            async with web.watch(NOWHERE):
                pass


async def read(socket: ClientConnection) -> dict[str, Any]:
    return dict(json.loads(await asyncio.wait_for(socket.recv(), 60)))


async def test_events_tell_the_end_and_then_the_socket_closes(web: Endpoint) -> None:
    job = await web.job()
    async with web.watch(job) as socket:
        assert (await read(socket))["state"] == "queued"
        await socket.send("hello")
        await socket.send(b"\x00")
        await web.client.post(f"/api/jobs/{job}/cancel")
        states = [json.loads(message)["state"] async for message in socket]
        assert states[-1] == "cancelled" and socket.close_code == 1000
    await nobody_watches(web)


async def test_a_client_that_leaves_is_forgotten(web: Endpoint) -> None:
    job = await web.job()
    closing = web.watch(job)
    async with closing as socket:
        await read(socket)
        assert web.watched() == 1
    async with web.watch(job) as socket:
        await read(socket)
        socket.transport.abort()  # as when its machine loses the network
    await nobody_watches(web)


async def nobody_watches(web: Endpoint) -> None:
    """Wait until it is so."""
    await eventually(lambda: not web.watched())


async def test_nobody_can_watch_what_is_not_there(web: Endpoint) -> None:
    for job in (NOWHERE, str(uuid4()), "x"):
        with pytest.raises(InvalidStatus):
            async with web.watch(job):
                pass
    assert web.watched() == 0
