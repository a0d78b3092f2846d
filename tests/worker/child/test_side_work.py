"""Captions and thumbnails are side work: whatever they do, the job goes on and the child lives."""

from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest

from shared.errors import Code, JobError
from shared.options import Options
from tests.site.server import MediaSite
from worker.child import captions
from worker.child.budget import Budget
from worker.child.patience import Patience
from worker.child.protocol import Limits
from worker.child.server import ChildServer

MakeLimits = Callable[..., Limits]
HANGING = ["/fault/hang/x.vtt", "/fault/stall/media/sample.en.vtt?after=10", "/fault/trickle/{file}?rate=10"]


def lure(site: MediaSite, **parts: str) -> str:
    """A page whose video is good and whose other parts are these addresses."""
    addresses = {"video": "/media/sample.mp4", **parts}
    query = "&".join(f"{name}={quote(site.url(to), safe='')}" for name, to in addresses.items())
    return site.url(f"/lure/page?{query}")


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("page", [page.format(file="media/sample.en.vtt") for page in HANGING])
@pytest.mark.parametrize("limit", [{"no_progress": 1.5}, {"wall_clock": 3.0}], ids=str)
async def test_a_caption_track_that_stands_still_costs_only_itself(
    server: ChildServer,
    limits: MakeLimits,
    tmp_path: Path,
    site: MediaSite,
    page: str,
    limit: dict[str, float],
) -> None:
    async with server.open(tmp_path, limits(**limit)) as child:
        await child.probe(lure(site, caption=page))
        with pytest.raises(JobError) as failure:
            await child.captions(["all"])
        assert failure.value.code is Code.STALLED
        assert await child.download(Options(), lambda _: None)


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.parametrize("page", [page.format(file="media/thumbnail.jpg") for page in HANGING])
async def test_a_thumbnail_that_stands_still_is_left_out(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, page: str
) -> None:
    async with server.open(tmp_path, limits(no_progress=1.0)) as child:
        await child.probe(lure(site, thumbnail=page))
        thumbnail, info = await child.extras()
        assert thumbnail is None
        assert info.is_file()
        assert await child.download(Options(), lambda _: None)


def fetch_in_memory(
    folder: Path, monkeypatch: pytest.MonkeyPatch, each: int, tracks: int, seconds: float = 30.0
) -> tuple[list[str], list[float], Budget]:
    """Fetch tracks of `each` bytes with a yt-dlp that needs no network; the languages that came."""
    budget, waits = Budget(10**9, lambda count: None), list[float]()

    def fetch(name: str, *_: Any, **__: Any) -> None:
        for _ in range(10):
            budget.add(each // 10)
        Path(name).write_bytes(b"x")

    @contextmanager
    def at_most(limit: float) -> Any:
        waits.append(limit)
        yield

    monkeypatch.setattr(captions, "at_most", at_most)
    limits = Limits(max_bytes=10**9, wall_clock=2 * seconds, no_progress=1000)
    ydl: Any = SimpleNamespace(budget=budget, dl=fetch, params={"concurrent_fragment_downloads": 8})
    offered = {f"a{chr(97 + n)}": [{"ext": "vtt", "url": "https://site.example/t"}] for n in range(tracks)}
    info = {"id": "x", "subtitles": offered}
    signs: list[int] = []
    files = captions.fetch_all(ydl, info, ("all",), folder, Patience(limits), lambda: signs.append(1))
    assert len(signs) >= len(files)  # the worker hears of each one, even of those without a byte
    assert ydl.params["concurrent_fragment_downloads"] == 8
    return [file.language for file in files], waits, budget


def test_all_tracks_share_one_budget_of_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    came, _, budget = fetch_in_memory(tmp_path, monkeypatch, captions.MAX_TRACK - 100, 12)
    assert len(came) == 3
    assert budget.fetched <= captions.MAX_ALL_TRACKS + captions.MAX_TRACK


def test_all_tracks_share_one_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JobError):
        fetch_in_memory(tmp_path, monkeypatch, 100, 12, seconds=0.0)
    came, waits, _ = fetch_in_memory(tmp_path, monkeypatch, 100, 12, seconds=5.0)
    assert len(came) == 12
    assert max(waits) <= 5.0
