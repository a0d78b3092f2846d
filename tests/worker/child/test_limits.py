"""A child lives under limits, and none of them is left to its good will."""

from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Code, JobError
from shared.options import Options
from tests.site.server import MediaSite
from worker.child.protocol import Limits
from worker.child.server import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeLimits = Callable[..., Limits]
MB = 1_000_000


async def fail(server: ChildServer, limits: Limits, folder: Path, link: str) -> Code:
    """The code a whole job fails with."""
    with pytest.raises(JobError) as failure:
        async with server.open(folder, limits) as child:
            await child.probe(link)
            await child.download(Options(), lambda _: None)
    return failure.value.code


@pytest.mark.parametrize("page", ["/endless.mp4", "/big/1GB.mp4", "/endless/index.m3u8?segments=3000"])
async def test_the_byte_cap_holds_for_files_and_for_streams(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, page: str
) -> None:
    assert await fail(server, limits(max_bytes=20 * MB), tmp_path, site.url(page)) is Code.TOO_LARGE
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 60 * MB


async def test_a_declared_size_above_the_cap_ends_the_download_at_its_first_block(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    site.reset()
    code = await fail(server, limits(max_bytes=500 * MB), tmp_path, site.url("/big/10GB.mp4"))
    assert code is Code.TOO_LARGE
    assert site.bytes_sent < 60 * MB


async def test_the_byte_cap_holds_for_dash(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    link = site.url("/dash/manifest.mpd")
    assert await fail(server, limits(max_bytes=MB), tmp_path, link) is Code.TOO_LARGE


async def test_a_known_size_is_refused_before_a_byte_is_fetched(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    with pytest.raises(JobError, match="too_large") as failure:
        async with server.open(tmp_path, limits(max_bytes=100_000)) as child:
            await child.probe(site.url("/tube/video"))
            await child.download(Options(), lambda _: None)
    assert failure.value.sentence.endswith("and I may fetch 0.0001 GB at most.")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "page",
    ["/fault/stall/media/sample.mp4?after=300000", "/fault/hang/x", "/tube/slow", "/tube/stuck"],
)
async def test_standing_still_has_an_end(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, page: str
) -> None:
    assert await fail(server, limits(no_progress=0.5), tmp_path, site.url(page)) is Code.STALLED


@pytest.mark.parametrize("page", ["/fault/trickle/media/sample.mp4?rate=100000", "/tube/slow", "/tube/stuck"])
async def test_taking_long_has_an_end(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, page: str
) -> None:
    assert await fail(server, limits(wall_clock=0.7), tmp_path, site.url(page)) is Code.TIMED_OUT


async def test_slow_bytes_are_progress(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    link = site.url("/fault/trickle/media/sample.mp4?rate=800000")
    async with server.open(tmp_path, limits(no_progress=1.0)) as child:
        await child.probe(link)
        (file,) = await child.download(Options(), lambda _: None)
    assert file.size > MB
