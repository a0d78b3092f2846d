"""What has not ended, by the words of extractors and of manifests."""

from typing import Any

import pytest

from shared.errors import Code, JobError
from worker.child import live

HEAD = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
PART = "#EXTINF:1.0,\n0.ts\n"


@pytest.mark.parametrize(
    ("playlist", "goes_on"),
    [
        (HEAD + PART, True),
        (f"{HEAD}#EXT-X-PLAYLIST-TYPE:EVENT\n{PART}", True),
        (f"{HEAD}#EXT-X-PLAYLIST-TYPE:VOD\n{PART}", False),
        (f"{HEAD}{PART}#EXT-X-ENDLIST\n", False),
        ("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nlow.m3u8\n", False),
    ],
    ids=["bare", "event", "vod", "ended", "master"],
)
def test_a_playlist_goes_on_until_it_says_that_it_ended(playlist: str, goes_on: bool) -> None:
    assert live.goes_on(playlist) is goes_on


WHOLE = {"format_id": "1", "url": "https://a.example/1.mp4"}
DYNAMIC = {"format_id": "2", "url": "https://a.example/2.mpd", live.GOES_ON: True}


@pytest.mark.parametrize(
    "info",
    [
        {"formats": [DYNAMIC]},
        {"formats": [WHOLE | {"has_drm": True}, DYNAMIC]},
        {"live_status": "is_live"},
        {"live_status": "is_upcoming"},
        {"is_live": True},
    ],
)
def test_what_goes_on_is_refused(info: dict[str, Any]) -> None:
    with pytest.raises(JobError) as refused:
        live.check(info)
    assert refused.value.code is Code.LIVE


@pytest.mark.parametrize(
    "info",
    [
        {},
        {"formats": [WHOLE | {live.GOES_ON: False}]},
        {"formats": [DYNAMIC], "live_status": "was_live"},
        {"formats": [DYNAMIC], "is_live": False},
    ],
)
def test_an_extractor_that_knows_of_the_end_is_believed(info: dict[str, Any]) -> None:
    before = dict(info)
    live.check(info)
    assert info == before


def test_a_manifest_that_goes_on_leaves_what_is_whole() -> None:
    info = {"formats": [DYNAMIC, WHOLE]}
    live.check(info)
    assert info == {"formats": [WHOLE]}
