"""Links of strangers never lead a child to a private address: `inside` fails the test if one got there."""

import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from shared.errors import Code, JobError
from shared.options import Options
from tests.site.server import MediaSite
from tests.worker.child.conftest import Inside
from worker.child.protocol import Limits
from worker.child.server import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeLimits = Callable[..., Limits]

# Every way to write "inside"; {port} is where the listener waits.
HOSTS = [
    "127.0.0.1",
    "localhost",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0x7f000001",
    "0177.0.0.1",
    "017700000001",
    "0.0.0.0",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::1]",
    "[::127.0.0.1]",
    "127.0.0.1.",
    "user:secret@127.0.0.1",
    "１２７.0.0.1",
]
PRIVATE = [
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "169.254.170.2",
    "100.64.0.1",
    "100.100.100.200",
    "198.18.0.1",
    "224.0.0.1",
    "255.255.255.255",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[::ffff:169.254.169.254]",
]
# What a stack that does not know a form answers: it may not even resolve.
REFUSED = {Code.BLOCKED_ADDRESS, Code.INVALID_LINK, Code.NETWORK}


async def probe(server: ChildServer, limits: Limits, folder: Path, link: str) -> Code:
    """The code a probe fails with."""
    with pytest.raises(JobError) as failure:
        async with server.open(folder, limits) as child:
            await child.probe(link)
    return failure.value.code


async def everything(server: ChildServer, limits: Limits, folder: Path, link: str) -> Code | None:
    """Do all a job does; the code it fails with, None when it does not."""
    try:
        async with server.open(folder, limits) as child:
            await child.probe(link)
            await child.download(Options(), lambda _: None)
            await child.captions(["all"])
            await child.extras()
    except JobError as error:
        return error.code
    return None


@pytest.mark.parametrize("host", HOSTS)
async def test_every_spelling_of_loopback_is_refused(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, inside: Inside, host: str
) -> None:
    assert await probe(server, limits(), tmp_path, f"http://{host}:{inside.port}/a.mp4") in REFUSED


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "[::ffff:127.0.0.1]", *PRIVATE]
)
async def test_private_addresses_are_named_as_such(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, host: str
) -> None:
    assert await probe(server, limits(), tmp_path, f"http://{host}/a.mp4") is Code.BLOCKED_ADDRESS


@pytest.mark.parametrize("host", HOSTS + PRIVATE)
async def test_redirects_inside_are_refused(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, inside: Inside, host: str
) -> None:
    target = quote(f"http://{host}:{inside.port}/a.mp4", safe="")
    code = await probe(server, limits(), tmp_path, site.url(f"/redirect?to={target}"))
    assert code in REFUSED | {Code.SITE_ERROR, Code.UNSUPPORTED}


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_every_kind_of_redirect_is_followed_under_guard(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, inside: Inside, code: int
) -> None:
    target = quote(f"http://127.0.0.1:{inside.port}/a.mp4", safe="")
    link = site.url(f"/redirect?to={target}&code={code}")
    assert await probe(server, limits(), tmp_path, link) is Code.BLOCKED_ADDRESS


@pytest.mark.parametrize("role", ["master", "segment", "key", "map"])
@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_parts_of_a_playlist_that_lie_inside_are_refused(
    server: ChildServer,
    limits: MakeLimits,
    tmp_path: Path,
    site: MediaSite,
    inside: Inside,
    role: str,
    host: str,
) -> None:
    target = quote(f"http://{host}:{inside.port}/a.ts", safe="")
    code = await everything(server, limits(), tmp_path, site.url(f"/lure/{role}.m3u8?to={target}"))
    assert code is Code.BLOCKED_ADDRESS


async def test_a_page_whose_video_lies_inside_is_refused(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, inside: Inside
) -> None:
    target = quote(f"http://127.0.0.1:{inside.port}/a.mp4", safe="")
    code = await everything(server, limits(), tmp_path, site.url(f"/lure/page?video={target}"))
    assert code is Code.BLOCKED_ADDRESS


async def test_captions_that_lie_inside_are_refused(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, inside: Inside
) -> None:
    video = quote(site.url("/media/sample.mp4"), safe="")
    caption = quote(f"http://127.0.0.1:{inside.port}/a.vtt", safe="")
    link = site.url(f"/lure/page?video={video}&caption={caption}")
    assert await everything(server, limits(), tmp_path, link) is Code.BLOCKED_ADDRESS


async def test_a_thumbnail_that_lies_inside_is_left_out(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, inside: Inside
) -> None:
    video = quote(site.url("/media/sample.mp4"), safe="")
    picture = quote(f"http://127.0.0.1:{inside.port}/a.jpg", safe="")
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url(f"/lure/page?video={video}&thumbnail={picture}"))
        thumbnail, info = await child.extras()
    assert thumbnail is None
    assert info.is_file()


SCHEMES = [
    "file:///etc/passwd",
    "rtmp://127.0.0.1/live",
    "data:video/mp4;base64,AAAA",
    "concat:/etc/passwd|/etc/group",
    "subfile:,,start,0,end,0,,:/etc/passwd",
    "ftp://127.0.0.1/a.mp4",
    "gopher://127.0.0.1/",
    "javascript:alert(1)",
]


@pytest.mark.parametrize(
    "link",
    [
        *SCHEMES,
        "ytsearch:cats",
        "ytsearch5:cats",
        "--exec=touch /tmp/x",
        "-o /tmp/x",
        "",
        " ",
        "a.mp4",
        "http://",
        "http://a\x00b/",
        "http://a/ b",
        "https://a.example/#__youtubedl_smuggle=%7B%7D",
        "http://[::1",
        "x" * 10_000_000,
    ],
    ids=lambda link: str(link)[:30],
)
async def test_what_is_no_web_link_is_no_link(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, link: str
) -> None:
    assert await probe(server, limits(), tmp_path, link) is Code.INVALID_LINK


@pytest.mark.parametrize("scheme", SCHEMES, ids=lambda link: str(link).partition(":")[0])
@pytest.mark.parametrize("role", ["master", "segment", "key"])
async def test_other_schemes_inside_a_playlist_are_refused(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, role: str, scheme: str
) -> None:
    link = site.url(f"/lure/{role}.m3u8?to={quote(scheme, safe='')}")
    code = await everything(server, limits(), tmp_path, link)
    assert code is not None and code is not Code.INTERNAL
    assert not any(b"root:" in path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("scheme", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
async def test_redirects_to_other_schemes_are_refused(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, scheme: str
) -> None:
    code = await probe(server, limits(), tmp_path, site.url(f"/redirect?to={quote(scheme, safe='')}"))
    assert code is not Code.INTERNAL


@pytest.fixture
def encrypted(inside: Inside) -> Iterator[str]:
    """A playlist in an encryption that yt-dlp would hand to ffmpeg, with key and segment inside."""
    there = f"http://127.0.0.1:{inside.port}"
    body = (
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-PLAYLIST-TYPE:VOD\n"
        f'#EXT-X-KEY:METHOD=SAMPLE-AES,URI="{there}/key"\n#EXTINF:2,\n{there}/a.ts\n#EXT-X-ENDLIST\n'
    ).encode()

    class Playlist(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/vnd.apple.mpegurl")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Playlist) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True).start()
        yield f"127.0.0.1:{running.server_port}"
        running.shutdown()


async def test_ffmpeg_is_never_sent_to_the_network(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, encrypted: str
) -> None:
    allowed = limits(allowed_addresses=(encrypted,))
    code = await everything(server, allowed, tmp_path, f"http://{encrypted}/a.m3u8")
    assert code is not None and code is not Code.INTERNAL


async def test_allowed_addresses_are_the_only_exemption(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    for allowed in (("127.0.0.0/8",), (f"127.0.0.1:{site.port}",), (f"localhost:{site.port}",)):
        async with server.open(tmp_path, limits(allowed_addresses=allowed)) as child:
            assert (await child.probe(site.url("/media/sample.mp4"))).media_id == "sample"
    for other in ((), ("10.0.0.0/8",), ("127.0.0.1:1",), ("[::1]:80",)):
        with pytest.raises(JobError, match="blocked_address"):
            async with server.open(tmp_path, limits(allowed_addresses=other)) as child:
                await child.probe(site.url("/media/sample.mp4"))
