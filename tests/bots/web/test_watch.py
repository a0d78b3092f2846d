"""The watch page over real HTTP: what it says without a script, to whom, and what it never lets through."""

import gzip
import re
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import update

from bots.web.watch import page_policy
from shared.links import MAX_TTL, redact_tokens
from shared.models import Artifact, JobState
from shared.storage import LocalStorage
from tests.bots.web.test_api import Endpoint, running
from tests.bots.web.watching import File, add_job, page_path, spoken
from worker.captions.cues import Part

FILM = File("video", "mp4", b"film" * 500, {"height": 720, "duration": 60.0})
SOUND = File("audio", "mp3", b"sound" * 500, {"duration": 60.0})
PICTURE = File("thumbnail", "jpg", b"picture")
ENGLISH = spoken("en", ["Good morning.", "How are you?", "Thank you."])
HTML = {"accept": "text/html"}
EVIL = "</title></script><script>alert(1)</script><img src=x onerror=alert(1)>\" ' {{ 7*7 }} & \u202eevil"


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[Endpoint]:
    async with running(tmp_path) as endpoint:
        yield endpoint


async def page(web: Endpoint, *files: File, query: str = "", **columns: Any) -> httpx.Response:
    """The page of a new job with these files."""
    job = await add_job(web.parts, files, **columns)
    response = await web.client.get(page_path(web.parts, job) + query)
    assert response.status_code == 200
    return response


def lives(web: Endpoint, url: str, seconds: int, since: float) -> bool:
    """Whether the link of a file ends so many seconds after it was made, which was `since` then or later.

    A second may be rounded off twice.
    """
    end = web.parts.links.read(url.split("/")[2]).expires_at
    return since + seconds - 2 <= end <= time.time() + seconds


class Markup(HTMLParser):
    """Every element with its attributes, as a browser would take them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def lines(text: str) -> list[tuple[str, str]]:
    """The transcript's lines: where each links to, and what it says."""
    found = re.findall(r'<a class="time"[^>]*href="([^"]*)".*?<p dir="auto">(.*?)</p>', text, re.DOTALL)
    return [(href, unescape(words)) for href, words in found]


async def test_the_page_shows_the_film_its_captions_and_its_words_without_a_script(web: Endpoint) -> None:
    text = (await page(web, FILM, PICTURE, *ENGLISH)).text
    markup = Markup(text)
    [video] = markup.all("video")
    assert "controls" in video and video["src"] and video["poster"]
    [track] = markup.all("track")
    assert (track["kind"], track["srclang"], track["label"]) == ("captions", "en", "English")
    assert lines(text) == [("#t=0", "Good morning."), ("#t=5", "How are you?"), ("#t=10", "Thank you.")]
    assert 'id="t=5"' in text and 'lang="en" dir="ltr"' in text
    captions = await web.client.get(str(track["src"]))
    assert captions.headers["content-type"] == "text/vtt; charset=utf-8"
    assert captions.headers["x-content-type-options"] == "nosniff"
    assert captions.content == ENGLISH[1].content


async def test_every_file_can_be_saved_and_its_link_outlives_the_film(web: Endpoint) -> None:
    since = time.time()
    job = await add_job(web.parts, [FILM, PICTURE, *ENGLISH])
    text = (await web.client.get(page_path(web.parts, job, 60))).text
    links = [link for link in Markup(text).all("a") if "download" in link]
    assert len(links) == 5
    for link in links:
        saved = await web.client.get(str(link["href"]))
        assert saved.status_code == 200 and saved.headers["content-disposition"].startswith("attachment")
        assert lives(web, str(link["href"]), 6 * 3600, since)
    shown = await web.client.get(str(Markup(text).all("video")[0]["src"]), headers={"range": "bytes=0-3"})
    assert (shown.status_code, shown.content) == (206, b"film")
    assert shown.headers["content-disposition"].startswith("inline")


async def test_links_to_files_live_no_longer_than_others_however_long_the_page_does(web: Endpoint) -> None:
    since = time.time()
    job = await add_job(web.parts, [FILM])
    text = (await web.client.get(page_path(web.parts, job, MAX_TTL))).text
    assert lives(web, str(Markup(text).all("video")[0]["src"]), web.parts.settings.link_ttl, since)


async def test_no_link_outlives_its_file(web: Endpoint) -> None:
    since = time.time()
    job = await add_job(web.parts, [FILM], expires_in=timedelta(minutes=10))
    text = (await web.client.get(page_path(web.parts, job, MAX_TTL))).text
    assert lives(web, str(Markup(text).all("video")[0]["src"]), 600, since)


async def test_the_headers_let_nothing_in_and_nothing_out(web: Endpoint) -> None:
    headers = (await page(web, FILM, *ENGLISH)).headers
    assert headers["content-security-policy"] == page_policy()
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-robots-tag"] == "noindex, nofollow"
    assert headers["cache-control"] == "private, no-cache"
    assert "set-cookie" not in headers


def test_the_policy_names_nothing_but_us_and_where_the_files_are() -> None:
    policy = dict(part.split(" ", 1) for part in page_policy().split("; "))
    for name in ("default-src", "frame-ancestors", "base-uri", "form-action"):
        assert policy[name] == "'none'"
    for name in ("script-src", "style-src", "connect-src", "img-src", "media-src"):
        assert policy[name] == "'self'"
    bucket = "https://bucket.s3.example:9000"
    elsewhere = page_policy([f"{bucket}/a/film.mp4?X-Amz-Signature=1", f"{bucket}/b;c"])
    assert f"img-src 'self' {bucket}; media-src 'self' {bucket};" in elsewhere
    assert "script-src 'self'; style-src 'self'; connect-src 'self';" in elsewhere


async def test_media_may_come_from_where_the_storage_has_them(
    web: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def external_link(_: LocalStorage, key: str, **__: object) -> str:
        return f"https://bucket.example/{key}?signed"

    monkeypatch.setattr(LocalStorage, "external_link", external_link)
    policy = (await page(web, FILM, *ENGLISH)).headers["content-security-policy"]
    assert "media-src 'self' https://bucket.example;" in policy
    assert "https://bucket.example" not in (await page(web, *ENGLISH)).headers["content-security-policy"]


async def test_a_strangers_words_stay_words(web: Endpoint) -> None:
    evil = spoken("en", [EVIL, "--> <v Bob>hi"], speakers=[EVIL])
    text = (
        await page(
            web, FILM, *evil, title=EVIL, note=EVIL,
            media={"channel": EVIL, "chapters": [{"start": 0, "end": 9, "title": EVIL}]},
        )
    ).text  # fmt: skip
    markup = Markup(text)
    assert all("src" in script for script in markup.all("script"))
    assert not [element for element in markup.elements if any(n.startswith("on") for n in element[1])]
    assert not [attributes for _, attributes in markup.elements if "style" in attributes]
    assert not markup.all("style") and "alert(1)" in text and "7*7" in text
    assert all(str(image["src"]).startswith("/static/") for image in markup.all("img"))
    said = [words for _, words in lines(text)]
    assert "<script>alert(1)</script>" in said[0] and "<v Bob>hi" in said[1]


async def test_the_page_asks_nobody_else_for_anything(web: Endpoint) -> None:
    text = (await page(web, FILM, PICTURE, *ENGLISH)).text
    addresses = [
        str(value)
        for _, attributes in Markup(text).elements
        for name, value in attributes.items()
        if name in ("src", "href", "poster")
    ]
    assert addresses and all(re.match(r"/static/|/f/|/w/|#t=", address) for address in addresses)


async def test_languages_are_chosen_by_address(web: Endpoint) -> None:
    files = [
        *spoken("de", ["Guten Morgen."]),
        *spoken("de", ["guten morgen"], source="automatic"),
        *spoken("ar", ["صباح الخير"], ["srt"]),
        *spoken("ja", ["おはよう\nございます", "- はい\n- いいえ"]),
        *spoken(None, ["Hm."]),
    ]
    job = await add_job(web.parts, [FILM, *files])
    path = page_path(web.parts, job)
    first = (await web.client.get(path)).text
    assert lines(first) == [("#t=0", "Guten Morgen.")]
    menu = [link for link in Markup(first).all("a") if str(link["href"]).startswith("?")]
    keys = [unquote(str(link["href"]).removeprefix("?language=")) for link in menu]
    assert keys == ["de", "de.automatic", "ar", "ja", "und"]
    assert "German (automatic)" in first and "Japanese" in first
    wanted = {
        "de.automatic": ["guten morgen"],
        "ar": ["صباح الخير"],
        "ja": ["おはようございます", "- はい\n- いいえ"],
        "und": ["Hm."],
        "xx": ["Guten Morgen."],
        '"><b>': ["Guten Morgen."],
    }
    for key, said in wanted.items():
        text = (await web.client.get(path, params={"language": key})).text
        assert [words for _, words in lines(text)] == said
        assert ('dir="rtl"' in text) == (key == "ar")
        assert len(Markup(text).all("track")) == 4  # a player takes no SubRip


async def test_chapters_head_their_lines_and_link_to_their_moment(web: Endpoint) -> None:
    media = {
        "channel": "The Channel",
        "upload_date": "2026-01-31",
        "chapters": [
            {"start": 0, "end": 8, "title": "Arrival"},
            {"start": 8, "end": 15, "title": "Crossing"},
            {"start": 15, "end": 60, "title": ""},
        ],
    }
    text = (await page(web, FILM, *ENGLISH, media=media)).text
    assert "The Channel" in text and "2026-01-31" in text and "1:00" in text
    assert re.findall(r'<a href="#t=(\d+)" data-start', text) == ["0", "8", "15"]
    assert "From 0:15" in text
    arrival, crossing = text.index('<h3 dir="auto">Arrival'), text.index('<h3 dir="auto">Crossing')
    assert arrival < text.index("How are you?") < crossing < text.index("Thank you.")
    clipped = await page(web, FILM, *ENGLISH, media=media, options={"clip": {"start": 10, "end": 20}})
    assert re.findall(r'<a href="#t=(\d+)" data-start', clipped.text) == ["0", "5"]
    assert "From 0:05" in clipped.text


async def test_what_is_missing_is_left_out(web: Endpoint) -> None:
    heard = (await page(web, SOUND, *ENGLISH)).text
    assert "<audio" in heard and "<video" not in heard and '<body class="audio spoken">' in heard
    read = (await page(web, *ENGLISH)).text
    assert "<audio" not in read and "<video" not in read and len(lines(read)) == 3
    seen = (await page(web, FILM)).text
    assert "<video" in seen and "transcript" not in seen.lower() and "<track" not in seen
    plain = (
        await page(web, *spoken("en", ["One.", "Two."], ["txt"], step=9, chapters=[Part(0, 5, "Start")]))
    ).text
    assert "Start</h3>" in plain and "One." in plain and not lines(plain)
    assert "Nobody speaks here." in (await page(web, FILM, *spoken("en", []))).text


async def test_a_transcript_that_cannot_be_read_leaves_the_film(web: Endpoint) -> None:
    job = await add_job(web.parts, [FILM, *ENGLISH])
    for file in (web.parts.settings.data_dir / "files").rglob("*.vtt"):
        file.unlink()
    response = await web.client.get(page_path(web.parts, job))
    assert response.status_code == 200 and "cannot be shown just now" in response.text
    track = str(Markup(response.text).all("track")[0]["src"])
    assert (await web.client.get(track)).status_code == 404
    broken = File("captions", "vtt", b"\xff\xfe\x00WEBVTT 1:00 --> x\n\n00:01.000 --> 00:02.000\nsaid \xff\n")
    assert lines((await page(web, broken)).text) == [("#t=1", "said \ufffd")]


async def test_wrong_and_expired_links_get_the_short_page_of_every_link(web: Endpoint) -> None:
    job = await add_job(web.parts, [FILM, *ENGLISH])
    path = page_path(web.parts, job, 100)
    track = str(Markup((await web.client.get(path)).text).all("track")[0]["src"])
    file_token = str(Markup((await web.client.get(path)).text).all("video")[0]["src"]).split("/")[2]
    for wrong in (path[:-1], path[:-5] + "AAAAA", "/w/x", f"/w/{file_token}", page_path(web.parts, uuid4())):
        response = await web.client.get(wrong, headers=HTML)
        assert response.status_code == 404 and "There is nothing behind this link." in response.text
        assert response.headers["cache-control"] == "no-store"
    missing = await web.client.get(track.replace("/captions/", "/captions/0"))
    assert missing.status_code == 404
    web.parts.links._clock = lambda: 4e9
    for address in (path, track):
        response = await web.client.get(address, headers=HTML)
        assert response.status_code == 410 and "This link has expired." in response.text
        assert (await web.client.get(address)).json()["error"]["code"] == "link_expired"


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.FAILED])
async def test_a_job_that_is_not_done_has_no_page(web: Endpoint, state: JobState) -> None:
    job = await add_job(web.parts, [FILM], state=state)
    assert (await web.client.get(page_path(web.parts, job))).status_code == 404


async def test_files_that_are_gone_are_told_in_a_sentence(web: Endpoint) -> None:
    job = await add_job(web.parts, [FILM, *ENGLISH, PICTURE])
    path = page_path(web.parts, job)
    async with web.parts.database.write() as session:
        await session.execute(
            update(Artifact).where(Artifact.kind == "video").values(revoked_at=Artifact.created_at)
        )
    assert "<video" not in (await web.client.get(path)).text
    async with web.parts.database.write() as session:
        kinds = Artifact.kind.in_(["captions", "transcript"])
        await session.execute(update(Artifact).where(kinds).values(deleted_at=Artifact.created_at))
    gone = await web.client.get(path, headers=HTML)
    assert gone.status_code == 410 and "are no longer kept" in gone.text
    expired = await add_job(web.parts, [FILM], expires_in=timedelta(seconds=-1))
    assert (await web.client.get(page_path(web.parts, expired))).status_code == 410


async def test_head_answers_like_get(web: Endpoint) -> None:
    job = await add_job(web.parts, [FILM, *ENGLISH])
    path = page_path(web.parts, job)
    head = await web.client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-security-policy"] == page_policy()
    track = str(Markup((await web.client.get(path)).text).all("track")[0]["src"])
    assert (await web.client.head(track)).status_code == 200


async def test_long_transcripts_are_packed_and_whole(web: Endpoint) -> None:
    job = await add_job(web.parts, spoken("en", [f"Line {number}." for number in range(3000)]))
    path = page_path(web.parts, job)
    packed = await web.client.get(path)
    assert packed.headers["content-encoding"] == "gzip" and packed.headers["vary"] == "accept-encoding"
    assert len(lines(packed.text)) == 3000
    plain = await web.client.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers and len(plain.content) > 200_000
    assert int(packed.headers["content-length"]) < len(gzip.compress(plain.content, 1)) * 1.2


async def test_a_proxy_may_put_us_below_a_path(tmp_path: Path) -> None:
    async with running(tmp_path, public_url="https://ferry.example/down/") as web:
        text = (await page(web, FILM, *ENGLISH)).text
        assert Markup(text).all("track")[0]["src"].startswith("/down/w/")  # type: ignore[union-attr]
        for tag in ("video", "script"):
            assert str(Markup(text).all(tag)[0]["src"]).startswith("/down/")


async def test_the_view_of_a_job_links_to_its_page(web: Endpoint) -> None:
    job = await add_job(web.parts, [FILM, *ENGLISH])
    url = (await web.client.get(f"/api/jobs/{job}")).json()["watch_url"]
    response = await web.client.get(urlsplit(url).path)
    assert response.status_code == 200 and "Good morning." in response.text


async def test_the_token_stays_out_of_logs(web: Endpoint) -> None:
    job = await add_job(web.parts, [FILM])
    path = page_path(web.parts, job)
    assert path.split("/")[2][:20] not in redact_tokens(f"GET {path}/captions/1.vtt?language=de 200")


async def test_our_own_files_are_kept_for_good_under_their_version(web: Endpoint) -> None:
    markup = Markup((await page(web, FILM, *ENGLISH)).text)
    named = [str(one["src"]) for one in markup.all("script")] + [
        str(one["href"]) for one in markup.all("link")
    ]
    modules = re.findall(r'from "\./([a-z]+\.js)"', (await web.client.get(named[1])).text)
    assert len(modules) == 3
    for address in named + [f"{named[0].rpartition('/')[0]}/{module}" for module in modules]:
        response = await web.client.get(address)
        assert response.status_code == 200 and response.content
        assert response.headers["x-content-type-options"] == "nosniff"
        assert "immutable" in response.headers["cache-control"]
        tag = {"if-none-match": response.headers["etag"]}
        assert (await web.client.get(address, headers=tag)).status_code == 304
        assert (await web.client.head(address)).content == b""
    other = await web.client.get("/static/0123456789abcdef/watch.js")
    assert other.status_code == 200 and other.headers["cache-control"] == "no-cache"
    for wrong in ("/static/x/nothing.js", "/static/x/..%2fapp.py", "/static/x/../app.py", "/static/app.py"):
        assert (await web.client.get(wrong)).status_code == 404
    assert urlsplit(named[0]).path == named[0]
