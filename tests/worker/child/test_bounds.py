"""What one link may take of the memory."""

import http.server
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shared.errors import Code, JobError
from shared.options import Options
from tests.site.server import MediaSite
from worker.child import bounds
from worker.child.abort import TRIPWIRE, Abort
from worker.child.failures import explain
from worker.child.formats import offers
from worker.child.protocol import Limits
from worker.child.server import ChildServer

MakeLimits = Callable[..., Limits]
# 200 bytes that unfold to a hundred million fragments.
UNFOLDING = b"""<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period>
<AdaptationSet mimeType="video/mp4"><SegmentTemplate timescale="1" media="$Number$.m4s">
<SegmentTimeline><S t="0" d="1" r="100000000"/></SegmentTimeline></SegmentTemplate>
<Representation id="1" codecs="avc1" bandwidth="1" width="1" height="1"/></AdaptationSet></Period></MPD>"""


@pytest.fixture
def bodies() -> Iterator[dict[str, bytes]]:
    """Answers by path, and the address of who gives them under the name `address`."""
    answers: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[self.path])

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        answers["address"] = f"127.0.0.1:{running.server_port}".encode()
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield answers
        running.shutdown()


async def fail(server: ChildServer, limits: Limits, folder: Path, link: str) -> Code:
    """The code a job fails with, by a child that still answers afterwards."""
    async with server.open(folder, limits) as child:
        with pytest.raises(JobError) as failure:
            await child.probe(link)
            await child.download(Options(), lambda _: None)
        with pytest.raises(JobError):
            await child.probe("no link")
    return failure.value.code


@pytest.mark.slow
@pytest.mark.asyncio(loop_scope="session")
async def test_a_link_that_unfolds_in_memory_is_too_large(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    bodies["/x.mpd"] = UNFOLDING
    address = bodies["address"].decode()
    allowed = limits(allowed_addresses=(address,))
    assert await fail(server, allowed, tmp_path, f"http://{address}/x.mpd") is Code.TOO_LARGE


@pytest.mark.asyncio(loop_scope="session")
async def test_a_page_that_is_too_long_is_not_held_in_memory(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, bodies: dict[str, bytes]
) -> None:
    bodies["/x.html"] = b"<html>" + b"<p>word</p>" * 1_700_000
    address = bodies["address"].decode()
    allowed = limits(allowed_addresses=(address,))
    assert await fail(server, allowed, tmp_path, f"http://{address}/x.html") is Code.TOO_LARGE


@pytest.mark.asyncio(loop_scope="session")
async def test_a_stream_of_too_many_parts_is_refused_before_the_first(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    before = site.bytes_sent
    link = site.url(f"/endless/index.m3u8?segments={bounds.MAX_FRAGMENTS + 1}")
    assert await fail(server, limits(), tmp_path, link) is Code.TOO_LARGE
    assert site.bytes_sent - before < 16_000_000


@pytest.mark.parametrize(
    "info",
    [
        {"formats": [{}] * (bounds.MAX_FORMATS + 1)},
        {"formats": [{"fragments": [{}] * (bounds.MAX_FRAGMENTS + 1)}]},
        {"fragments": [{}] * (bounds.MAX_FRAGMENTS + 1)},
    ],
    ids=["formats", "fragments", "fragments of the only format"],
)
def test_what_no_real_video_has_is_refused(info: dict[str, Any]) -> None:
    try:
        with pytest.raises(Abort) as abort:
            bounds.check_formats(info)
    finally:
        TRIPWIRE.reset()
    assert abort.value.code is Code.TOO_LARGE


@pytest.mark.slow
def test_a_process_meets_its_limit_as_a_memory_error() -> None:
    code = """
from worker.child import bounds
bounds.limit_memory()
held = bytearray(bounds.MEMORY // 2)
try:
    bytearray(bounds.MEMORY)
except MemoryError:
    print("refused")
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == "refused\n"


def test_no_memory_means_too_large() -> None:
    assert explain(MemoryError()).code is Code.TOO_LARGE
    assert explain(OSError(12, "Cannot allocate memory")).code is Code.TOO_LARGE


def test_offers_of_many_heights_are_quick() -> None:
    formats = [
        {"vcodec": "avc1", "acodec": "none", "height": height, "url": "https://site.example/"}
        for height in range(1, bounds.MAX_FORMATS)
    ]
    started = time.process_time()
    assert len(offers(formats)) == len(formats)
    assert time.process_time() - started < 1
