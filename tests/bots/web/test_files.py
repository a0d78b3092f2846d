"""Signed files over real HTTP: uvicorn on a free port, as `linkferry web` runs it."""

import asyncio
import hashlib
import json
import logging
import os
import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote, urlsplit
from uuid import UUID, uuid4

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from bots.web.files import ServedFile, files_router, shown_as
from shared.links import Links
from shared.storage import Disposition, LocalStorage
from shared.telemetry import AddContext, TextFormatter, redactor
from tests.counting import Since
from tests.waiting import until

CONTENT = os.urandom(3 * 1024 * 1024 + 17)
FILM = ServedFile(
    key="ab/film.mp4",
    file_name="film.mp4",
    content_type="video/mp4",
    sha256=hashlib.sha256(CONTENT).hexdigest(),
    size=len(CONTENT),
)
ETAG = f'"{FILM.sha256}"'


class Site:
    """A running web endpoint with one film, and everything a test wants to turn."""

    def __init__(self, folder: Path) -> None:
        self.now: float | None = None
        self.artifacts: dict[UUID, ServedFile] = {}
        self.links = Links(["a-key-0123456789abc"], self._clock)
        self.storage = LocalStorage(folder)
        self.film = self.add(FILM, CONTENT)
        self.port = 0
        self.thread = threading.main_thread()

    def _clock(self) -> float:
        return time.time() if self.now is None else self.now

    def add(self, artifact: ServedFile, content: bytes) -> UUID:
        path = self.storage.path(artifact.key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        artifact_id = uuid4()
        self.artifacts[artifact_id] = artifact
        return artifact_id

    async def find(self, artifact_id: UUID) -> ServedFile | None:
        return self.artifacts.get(artifact_id)

    def path(self, artifact_id: UUID | None = None, disposition: Disposition = "inline") -> str:
        url = self.links.url("http://host", artifact_id or self.film, "any name.mp4", 3600, disposition)
        return urlsplit(url).path


@contextmanager
def running(app: FastAPI) -> Iterator[tuple[int, threading.Thread]]:
    """The app under uvicorn on a free port in a thread of its own; the port and the thread."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, http="httptools", log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    until(lambda: server.started)
    try:
        yield listener.getsockname()[1], thread
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def running_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    site = Site(tmp_path_factory.mktemp("files"))
    app = FastAPI()
    app.include_router(files_router(site.links, site.storage, site.find))
    with running(app) as (site.port, site.thread):
        yield site


@pytest.fixture
def site(running_site: Site) -> Site:
    running_site.now = None
    running_site.artifacts = {running_site.film: FILM}
    return running_site


@pytest.fixture
async def http(site: Site) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{site.port}", timeout=60) as client:
        yield client


async def test_get_sends_the_whole_file_with_every_header(site: Site, http: httpx.AsyncClient) -> None:
    answer = await http.get(site.path())
    assert answer.status_code == 200
    assert answer.content == CONTENT
    headers = answer.headers
    assert headers["content-type"] == "video/mp4"
    assert headers["content-length"] == str(len(CONTENT))
    assert headers["content-disposition"] == 'inline; filename="film.mp4"'
    assert headers["accept-ranges"] == "bytes"
    assert headers["etag"] == ETAG
    assert parsedate_to_datetime(headers["last-modified"])
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "noindex" in headers["x-robots-tag"]
    assert headers["cross-origin-resource-policy"] == "cross-origin"
    assert headers["cache-control"].startswith("private")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "media-src 'self'" in policy
    assert "sandbox" in policy
    assert "allow-scripts" not in policy
    assert "set-cookie" not in headers


async def test_head_has_the_same_headers_and_no_body(site: Site, http: httpx.AsyncClient) -> None:
    path = site.path()
    head, get = await http.head(path), await http.get(path)
    assert head.status_code == 200
    assert head.content == b""
    ignored = {"date"}
    assert {k: v for k, v in head.headers.items() if k not in ignored} == {
        k: v for k, v in get.headers.items() if k not in ignored
    }
    ranged = await http.head(path, headers={"range": "bytes=0-9"})
    assert (ranged.status_code, ranged.headers["content-length"]) == (200, str(len(CONTENT)))


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=1000000-2500000", 1_000_000, 2_500_001),
        ("bytes=3000000-", 3_000_000, len(CONTENT)),
        ("bytes=-17", len(CONTENT) - 17, len(CONTENT)),
        ("bytes=-99999999", 0, len(CONTENT)),
        ("bytes=10-99999999", 10, len(CONTENT)),
        ("BYTES = 5-9", 5, 10),
    ],
)
async def test_single_ranges_are_partial(
    site: Site, http: httpx.AsyncClient, header: str, start: int, end: int
) -> None:
    answer = await http.get(site.path(), headers={"range": header})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"
    assert answer.headers["content-length"] == str(end - start)
    assert answer.headers["etag"] == ETAG


async def test_what_is_sent_is_counted(site: Site, http: httpx.AsyncClient) -> None:
    served = Since("served_bytes_total")
    await http.get(site.path())
    async with asyncio.timeout(30):
        while served() < len(CONTENT):  # the last block is counted once it has left
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    "header",
    ["bytes=0-1,5-6", "bytes=9-5", "bytes=", "bytes=-", "bytes=a-b", "lines=0-1", "bytes=1-2x", "0-5"],
)
async def test_other_ranges_are_ignored(site: Site, http: httpx.AsyncClient, header: str) -> None:
    answer = await http.get(site.path(), headers={"range": header})
    assert answer.status_code == 200
    assert len(answer.content) == len(CONTENT)


@pytest.mark.parametrize("header", [f"bytes={len(CONTENT)}-", "bytes=99999999-999999999", "bytes=-0"])
async def test_ranges_outside_are_not_satisfiable(site: Site, http: httpx.AsyncClient, header: str) -> None:
    answer = await http.get(site.path(), headers={"range": header})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(CONTENT)}"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content == b""


async def test_a_download_resumes_only_while_the_file_is_the_same(
    site: Site, http: httpx.AsyncClient
) -> None:
    path = site.path()
    modified = (await http.head(path)).headers["last-modified"]
    for same in (ETAG, modified):
        answer = await http.get(path, headers={"range": "bytes=100-", "if-range": same})
        assert answer.status_code == 206
        assert answer.content == CONTENT[100:]
    for other in ('"other"', f"W/{ETAG}", formatdate(0, usegmt=True), "nonsense"):
        answer = await http.get(path, headers={"range": "bytes=100-", "if-range": other})
        assert answer.status_code == 200


async def test_what_the_client_has_already_is_not_sent_again(site: Site, http: httpx.AsyncClient) -> None:
    path = site.path()
    modified = (await http.head(path)).headers["last-modified"]
    fresh = [
        {"if-none-match": ETAG},
        {"if-none-match": f'"x", W/{ETAG}'},
        {"if-none-match": "*"},
        {"if-modified-since": modified},
        {"if-none-match": ETAG, "if-modified-since": formatdate(0, usegmt=True)},
    ]
    for headers in fresh:
        for method in ("GET", "HEAD"):
            answer = await http.request(method, path, headers=headers)
            assert answer.status_code == 304, headers
            assert answer.content == b""
            assert answer.headers["etag"] == ETAG
            assert "content-length" not in answer.headers
    stale = [
        {"if-none-match": '"x"'},
        {"if-modified-since": formatdate(0, usegmt=True)},
        {"if-modified-since": "yesterday"},
        {"if-none-match": '"x"', "if-modified-since": modified},
    ]
    for headers in stale:
        assert (await http.head(path, headers=headers)).status_code == 200, headers


async def test_failed_preconditions(site: Site, http: httpx.AsyncClient) -> None:
    path = site.path()
    assert (await http.get(path, headers={"if-match": '"x"'})).status_code == 412
    assert (await http.get(path, headers={"if-match": f"W/{ETAG}"})).status_code == 412
    assert (await http.head(path, headers={"if-match": ETAG})).status_code == 200
    early = {"if-unmodified-since": formatdate(0, usegmt=True)}
    assert (await http.get(path, headers=early)).status_code == 412


async def test_names_are_sent_in_ascii_and_in_utf8(site: Site, http: httpx.AsyncClient) -> None:
    name = 'Le "Café" می\u200cخواهم 100%\r\nSet-Cookie: a=b 🎬.mp4'
    artifact_id = site.add(replace(FILM, key="c", file_name=name, size=1), b"x")
    headers = (await http.get(site.path(artifact_id, "attachment"))).headers
    value = headers["content-disposition"]
    assert value.startswith('attachment; filename="Le _Caf__ ________ 100___Set-Cookie: a=b _.mp4"; ')
    assert value.endswith(f"filename*=UTF-8''{quote(name, safe='')}")
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    ("content_type", "shown", "sent_type"),
    [
        ("video/mp4", "inline", "video/mp4"),
        ("audio/mpeg", "inline", "audio/mpeg"),
        ("image/jpeg", "inline", "image/jpeg"),
        ("text/vtt", "inline", "text/vtt; charset=utf-8"),
        ("text/plain; charset=utf-8", "inline", "text/plain; charset=utf-8"),
        ("application/json", "inline", "application/json"),
        ("text/html", "attachment", "text/html; charset=utf-8"),
        ("image/svg+xml", "attachment", "image/svg+xml"),
        ("application/x-subrip", "attachment", "application/x-subrip"),
    ],
)
async def test_only_harmless_types_are_shown(
    site: Site, http: httpx.AsyncClient, content_type: str, shown: str, sent_type: str
) -> None:
    artifact_id = site.add(replace(FILM, key="d", content_type=content_type, size=1), b"x")
    headers = (await http.get(site.path(artifact_id, "inline"))).headers
    assert headers["content-disposition"].startswith(shown)
    assert headers["content-type"] == sent_type
    assert "sandbox" in headers["content-security-policy"]
    assert shown_as("attachment", content_type) == "attachment"


async def test_an_empty_file_is_sent_whole(
    site: Site, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    path = site.path(site.add(replace(FILM, key="e", size=0), b""))
    for headers in ({}, {"range": "bytes=-5"}):
        answer = await http.get(path, headers=headers)
        assert (answer.status_code, answer.content) == (200, b"")
    assert (await http.get(path, headers={"range": "bytes=0-"})).status_code == 416
    assert "uvicorn.error" not in [record.name for record in caplog.records]  # the response was ended


async def test_the_name_in_the_link_is_for_people_only(site: Site, http: httpx.AsyncClient) -> None:
    token = site.path().split("/")[2]
    for name in ("x", "a%2Fb.mp4", "%F0%9F%8E%AC.mp4", "a/b/c", ""):
        assert (await http.head(f"/f/{token}/{name}")).status_code == 200
    assert (await http.head(f"/f/{token}")).status_code == 200


async def test_links_work_more_than_once(site: Site, http: httpx.AsyncClient) -> None:
    path = site.path()
    assert [(await http.head(path)).status_code for _ in range(3)] == [200, 200, 200]


async def test_unknown_forged_revoked_and_missing_all_look_the_same(
    site: Site, http: httpx.AsyncClient
) -> None:
    unknown = site.path(uuid4())
    forged = urlsplit(Links(["another-key-0123456"]).url("http://h", site.film, "f", 60)).path
    revoked = site.path(site.add(replace(FILM, key="r", revoked=True), CONTENT))
    missing = site.path(site.add(replace(FILM, key="m"), CONTENT))
    site.storage.path("m").unlink()
    shorter = site.path(site.add(replace(FILM, key="s"), CONTENT[:-1]))
    for accept in ("text/html,*/*", "*/*"):
        answers = [
            await http.get(path, headers={"accept": accept, "range": "bytes=0-5"})
            for path in (unknown, forged, revoked, missing, shorter, "/f/nonsense/x", "/f/nonsense")
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert len({str({**answer.headers, "date": ""}) for answer in answers}) == 1


async def test_an_expired_link_says_so_and_only_a_true_one(site: Site, http: httpx.AsyncClient) -> None:
    path, unknown = site.path(), site.path(uuid4())
    revoked = site.path(site.add(replace(FILM, key="r", revoked=True), CONTENT))
    site.now = site._clock() + 3601
    for each in (path, unknown, revoked):
        answer = await http.get(each)
        assert answer.status_code == 410
        assert answer.json()["error"]["code"] == "link_expired"
    assert (await http.get(path[:-30] + "A" + path[-29:])).status_code == 404


async def test_people_get_a_page_and_programs_get_json(site: Site, http: httpx.AsyncClient) -> None:
    page = await http.get("/f/nonsense/x", headers={"accept": "text/html,application/xhtml+xml"})
    assert page.headers["content-type"].startswith("text/html")
    assert "There is nothing behind this link." in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    data = await http.get("/f/nonsense/x", headers={"accept": "application/json"})
    assert set(json.loads(data.text)["error"]) == {"code", "message"}
    for answer in (page, data):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["vary"] == "accept"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-content-type-options"] == "nosniff"
    head = await http.head("/f/nonsense/x")
    assert (head.status_code, head.content) == (404, b"")


async def test_only_get_and_head(site: Site, http: httpx.AsyncClient) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert (await http.request(method, site.path())).status_code == 405


async def test_files_elsewhere_are_a_redirect_that_is_not_kept(tmp_path: Path) -> None:
    class Bucket(LocalStorage):
        async def external_link(self, key: str, **what: object) -> str | None:
            assert what["file_name"] == "film.mp4"
            assert isinstance(what["ttl_seconds"], int)
            assert 0 < what["ttl_seconds"] <= 60
            return f"https://bucket.example/{key}?signature=x"

    links, film = Links(["a-key-0123456789abc"]), uuid4()

    async def find(_: UUID) -> ServedFile:
        return FILM

    app = FastAPI()
    app.include_router(files_router(links, Bucket(tmp_path), find))
    path = urlsplit(links.url("http://h", film, "film.mp4", 60)).path
    with running(app) as (port, _):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http:
            answer = await http.get(path)
    assert answer.status_code == 302
    assert answer.headers["location"] == "https://bucket.example/ab/film.mp4?signature=x"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"


def open_descriptors_of(path: Path) -> int:
    count = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        try:
            count += descriptor.readlink() == path
        except OSError:
            continue
    return count


async def eventually_closed(path: Path) -> None:
    for _ in range(6000):
        if open_descriptors_of(path) == 0:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("the file is still open")


async def test_a_client_that_leaves_closes_the_file(site: Site) -> None:
    size = 256 * 1024 * 1024
    artifact_id = site.add(replace(FILM, key="big", size=size), b"")
    path = site.storage.path("big")
    os.truncate(path, size)
    reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(f"GET {site.path(artifact_id)} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    assert open_descriptors_of(path) == 1
    writer.transport.abort()
    await eventually_closed(path)


async def test_files_are_closed_after_every_kind_of_answer(site: Site, http: httpx.AsyncClient) -> None:
    for headers in ({}, {"range": "bytes=0-5"}, {"range": "bytes=-0"}, {"if-none-match": ETAG}):
        for method in ("GET", "HEAD"):
            await http.request(method, site.path(), headers=headers)
    await eventually_closed(site.storage.path(FILM.key))


async def test_a_file_that_shrinks_while_it_is_sent_breaks_the_connection(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR, "uvicorn.error")  # other servers in this process silence it
    size = 256 * 1024 * 1024
    artifact_id = site.add(replace(FILM, key="big", size=size), b"")
    os.truncate(site.storage.path("big"), size)
    async with httpx.AsyncClient(timeout=60) as http:
        with pytest.raises(httpx.RemoteProtocolError):
            async with http.stream("GET", f"http://127.0.0.1:{site.port}{site.path(artifact_id)}") as answer:
                assert answer.status_code == 200
                os.truncate(site.storage.path("big"), 1)
                async for _ in answer.aiter_raw():
                    pass
    await eventually_closed(site.storage.path("big"))
    assert "became shorter" in caplog.text


async def test_blocks_are_large_and_read_outside_the_event_loop(
    site: Site, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[tuple[bool, int]] = []
    real = os.pread

    def pread(descriptor: int, count: int, offset: int) -> bytes:
        reads.append((threading.current_thread() is site.thread, count))
        return real(descriptor, count, offset)

    monkeypatch.setattr(os, "pread", pread)
    await http.get(site.path())
    mebibyte = 1024 * 1024
    assert reads == [(False, mebibyte)] * 3 + [(False, 17)]


async def test_no_log_line_has_a_token(
    site: Site, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.INFO, logger="httpx")  # which is told to be quiet wherever logging is set up
    path = site.path()
    await http.get(path)
    site.artifacts.clear()
    await http.get(path)
    formatter = TextFormatter(redactor(set()))
    lines = [formatter.format(record) for record in caplog.records if AddContext().filter(record)]
    assert any("/f/[token]/" in line for line in lines)
    assert not any(path.split("/")[2] in line for line in lines)
