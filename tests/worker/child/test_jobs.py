"""What a child does for a job, on the media site."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.errors import Code, JobError
from shared.options import MediaFormat, Options, Quality
from tests.site.server import MediaSite
from worker.child.protocol import Limits, Progress
from worker.child.server import ChildServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

MakeLimits = Callable[..., Limits]


def nothing(_: Progress) -> None:
    """Nobody watches."""


@pytest.mark.parametrize(
    "link",
    [
        "https://youtu.be/dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=3",
        "https://m.youtube.com/watch?app=desktop&v=dQw4w9WgXcQ",
        "https://www.youtube.com/shorts/dQw4w9WgXcQ",
    ],
)
async def test_spellings_of_one_video_are_one_identity(server: ChildServer, link: str) -> None:
    identity = await server.identify(link)
    assert identity is not None
    assert (identity.extractor, identity.media_id) == ("Youtube", "dQw4w9WgXcQ")


@pytest.mark.parametrize(
    "link", ["https://example.com/a.mp4", "ytsearch:cats", "file:///etc/passwd", "", "\x00", "x" * 10_000_000]
)
async def test_what_only_fetching_can_tell_has_no_identity(server: ChildServer, link: str) -> None:
    assert await server.identify(link) is None


async def test_plugin_links_are_links(server: ChildServer, site: MediaSite) -> None:
    by_scheme = await server.identify(f"ferrytest:video?base={site.base}")
    assert by_scheme is not None
    assert by_scheme == await server.identify(site.url("/tube/watch?v=video&t=3"))


async def test_probing_a_page_tells_what_it_is(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        media = await child.probe(site.url("/watch/sample"))
    assert (media.title, media.duration) == ("The ferry at noon", 12.0)
    assert media.captions == ("en", "de")
    assert media.upload_date is not None
    assert [offer.height for offer in media.offers] == []


async def test_probing_a_video_tells_its_heights_languages_and_chapters(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        media = await child.probe(site.url("/tube/video"))
    assert [offer.height for offer in media.offers] == [2160, 1440, 1080, 720, 480, 360, 240, 144]
    assert len(media.captions) == 8
    assert media.automatic_captions == ("en",)  # not the translations
    assert len(media.chapters) == 3
    assert media.language == "en"


async def test_hostile_titles_come_out_as_one_plain_line(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        media = await child.probe(site.url("/tube/watch?v=x&title=a%0Ab%00c%E2%80%AEd" + "x" * 5000))
    assert media.title.startswith("a b cd")
    assert len(media.title) == 1000


@pytest.mark.parametrize(
    ("page", "options", "kinds"),
    [
        ("/media/sample.mp4", Options(), ["both"]),
        ("/media/sample.m4a", Options(format=MediaFormat.M4A), ["audio"]),
        ("/watch/sample", Options(), ["both"]),
        ("/watch/hls", Options(quality=Quality.P480), ["video", "audio"]),
        ("/watch/dash", Options(), ["video", "audio"]),
        ("/tube/video", Options(), ["video", "audio"]),
        ("/tube/video", Options(format=MediaFormat.MP3), ["audio"]),
        ("/tube/lowres", Options(), ["both"]),
        ("/tube/audioonly", Options(), ["audio"]),
    ],
)
async def test_downloads_leave_the_files_they_name(
    server: ChildServer,
    limits: MakeLimits,
    tmp_path: Path,
    site: MediaSite,
    page: str,
    options: Options,
    kinds: list[str],
) -> None:
    seen: list[Progress] = []
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url(page))
        files = await child.download(options, seen.append)
    assert [file.kind for file in files] == kinds
    for file in files:
        assert Path(file.path).parent == tmp_path
        assert Path(file.path).stat().st_size == file.size > 0
    assert seen[-1].fraction == pytest.approx(1.0)
    assert [one.done for one in seen] == sorted(one.done for one in seen)


async def test_the_file_is_the_sites_byte_for_byte(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/media/sample.mp4"))
        (file,) = await child.download(Options(), nothing)
    assert Path(file.path).read_bytes() == (site.root / "media" / "sample.mp4").read_bytes()


async def test_extras_are_a_picture_and_what_may_be_known(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/tube/video"))
        thumbnail, info = await child.extras()
    assert thumbnail is not None
    assert thumbnail.suffix == ".webp"
    text = info.read_text()
    assert json.loads(text)["title"]
    assert "http_headers" not in text
    assert "cookies" not in text


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("live", Code.LIVE),
        ("upcoming", Code.LIVE),
        ("premiere", Code.LIVE),
        ("private", Code.PRIVATE),
        ("login", Code.LOGIN_REQUIRED),
        ("members", Code.LOGIN_REQUIRED),
        ("age", Code.AGE_RESTRICTED),
        ("geo", Code.GEO_BLOCKED),
        ("drm", Code.DRM),
        ("bot", Code.BOT_CHECK),
        ("bot-ascii", Code.BOT_CHECK),
        ("captcha", Code.BOT_CHECK),
        ("limited", Code.THROTTLED),
        ("throttled", Code.THROTTLED),
        ("removed", Code.NOT_FOUND),
        ("terminated", Code.NOT_FOUND),
        ("gone", Code.NOT_FOUND),
        ("noformats", Code.NOT_FOUND),
        ("processing", Code.SITE_ERROR),
        ("flaky", Code.SITE_ERROR),
        ("bug", Code.INTERNAL),
    ],
)
async def test_refusals_get_their_code(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, name: str, code: Code
) -> None:
    with pytest.raises(JobError) as failure:
        async with server.open(tmp_path, limits()) as child:
            await child.probe(site.url(f"/tube/{name}"))
    assert failure.value.code is code


@pytest.mark.parametrize(
    ("page", "code", "retry_after"),
    [
        ("/fault/status/404/media/sample.mp4", Code.NOT_FOUND, None),
        ("/fault/status/410/media/sample.mp4", Code.NOT_FOUND, None),
        ("/fault/status/429/media/sample.mp4?retry_after=7", Code.THROTTLED, 7.0),
        ("{elsewhere}/fault/status/429/media/sample.mp4%3Fretry_after=7", Code.SITE_ERROR, 7.0),
        ("/fault/status/500/media/sample.mp4", Code.SITE_ERROR, None),
        ("/fault/html/x.mp4", Code.UNSUPPORTED, None),
        ("/fault/html/x.mp4?type=video/mp4", Code.UNSUPPORTED, None),
        ("/fault/empty/x.mp4", Code.BROKEN_FILE, None),
        ("/media/thumbnail.jpg", Code.UNSUPPORTED, None),
        ("/media/sample.en.vtt", Code.UNSUPPORTED, None),
        ("/embed/sample?media=/media/thumbnail.webp", Code.UNSUPPORTED, None),
        ("/endless/live.m3u8", Code.LIVE, None),
        ("/endless/live.mpd", Code.LIVE, None),
        ("/embed/sample?media=/endless/live.m3u8", Code.LIVE, None),
        ("/embed/sample?media=/endless/live.mpd", Code.LIVE, None),
        ("/embed/sample?media=/lure/master.m3u8%3Fto=/endless/live.m3u8", Code.LIVE, None),
        ("/watch/sample?media=/endless/live.m3u8", Code.LIVE, None),
        ("/redirect/loop", Code.SITE_ERROR, None),
    ],
)
async def test_faults_of_a_site_get_their_code(
    server: ChildServer,
    limits: MakeLimits,
    tmp_path: Path,
    site: MediaSite,
    page: str,
    code: Code,
    retry_after: float | None,
) -> None:
    with pytest.raises(JobError) as failure:
        async with server.open(tmp_path, limits()) as child:
            elsewhere = f"/redirect?to=http://127.1:{site.port}"  # another name of the same address
            await child.probe(site.url(page.format(elsewhere=elsewhere)))
            await child.download(Options(), nothing)
    assert (failure.value.code, failure.value.retry_after) == (code, retry_after)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "code"),
    [
        ("/fault/cut/media/sample.mp4?at=300000&times=99", Code.NETWORK),
        ("/fault/length/media/sample.mp4", Code.NETWORK),
        ("/hls60/index.m3u8?missing=7", Code.BROKEN_FILE),
    ],
)
async def test_faults_that_stay_after_retries_get_their_code(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite, page: str, code: Code
) -> None:
    site.reset()
    with pytest.raises(JobError) as failure:
        async with server.open(tmp_path, limits()) as child:
            await child.probe(site.url(page))
            await child.download(Options(), nothing)
    assert failure.value.code is code


async def test_a_connection_that_breaks_now_and_then_is_taken_up_again(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    site.reset()
    async with server.open(tmp_path, limits()) as child:
        await child.probe(site.url("/fault/cut/media/sample.mp4?at=300000&times=3&token=again"))
        (file,) = await child.download(Options(), nothing)
    assert Path(file.path).read_bytes() == (site.root / "media" / "sample.mp4").read_bytes()


async def test_an_unreachable_site_is_a_network_failure(
    server: ChildServer, limits: MakeLimits, tmp_path: Path
) -> None:
    for link in ("http://no-such-host.invalid/a.mp4", "http://127.0.0.1:1/a.mp4"):
        with pytest.raises(JobError) as failure:
            async with server.open(tmp_path, limits(allowed_addresses=("127.0.0.1:1",))) as child:
                await child.probe(link)
        assert failure.value.code is Code.NETWORK


async def test_a_playlist_gives_its_first_entry_and_its_count(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    site.reset()
    async with server.open(tmp_path, limits(playlist_limit=1)) as child:
        media = await child.probe(site.url("/tube/playlist-30"))
    assert (media.media_id, media.playlist_count) == ("video-1", 30)
    assert site.hits("/tube/api/player") == 2  # the list and one entry


async def test_a_refused_playlist_names_its_count(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    with pytest.raises(JobError) as failure:
        async with server.open(tmp_path, limits(playlist_limit=0)) as child:
            await child.probe(site.url("/tube/playlist-30"))
    assert failure.value.code is Code.PLAYLIST
    assert "30" in failure.value.sentence


async def test_a_playlist_of_one_is_that_video(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    async with server.open(tmp_path, limits(playlist_limit=0)) as child:
        media = await child.probe(site.url("/tube/playlist-1"))
    assert (media.media_id, media.playlist_count) == ("video-1", None)


async def test_calls_before_a_probe_are_refused(
    server: ChildServer, limits: MakeLimits, tmp_path: Path
) -> None:
    async with server.open(tmp_path, limits()) as child:
        with pytest.raises(JobError):
            await child.download(Options(), nothing)
        with pytest.raises(JobError):
            await child.extras()


async def test_nothing_is_written_outside_the_work_folder(
    server: ChildServer, limits: MakeLimits, tmp_path: Path, site: MediaSite
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    async with server.open(work, limits()) as child:
        await child.probe(site.url("/tube/watch?v=x&title=../../../evil%2F..%2F"))
        await child.download(Options(), nothing)
        await child.captions(["all"])
        await child.extras()
    assert [path.name for path in tmp_path.iterdir()] == ["work"]
    assert all(path.is_file() for path in work.iterdir())
