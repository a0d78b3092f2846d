"""What has not ended: no file can be the whole of it.

Extractors of one site mostly say so themselves. Where all that is known is a page with a manifest's address
in it, nobody does, and yt-dlp would fetch the minute that is listed just now: there the manifest counts.
"""

from collections.abc import Iterator
from typing import Any

from yt_dlp.downloader.hls import HlsFD
from yt_dlp.extractor.common import InfoExtractor

from shared.errors import Code, JobError
from worker.child import formats

_NOT_ENDED = frozenset({"is_live", "is_upcoming"})
GOES_ON = "linkferry_goes_on"  # our mark on a format


def check(info: dict[str, Any]) -> None:
    """Raise JobError(LIVE) for what the extractor calls live.

    Where it says nothing, formats of DASH manifests that go on are left out; the same when no others can be
    fetched.
    """
    if info.get("live_status") in _NOT_ENDED or info.get("is_live"):
        raise JobError(Code.LIVE, str(info.get("live_status")))
    offered = info.get("formats") or ()
    whole = [item for item in offered if not item.get(GOES_ON)]
    if _is_unsaid(info) and len(whole) < len(offered):
        if not formats.usable(whole):
            raise JobError(Code.LIVE, "a dynamic DASH manifest")
        info["formats"] = whole


def install() -> None:
    """Have yt-dlp mark formats of dynamic DASH, and fetch no HLS that goes on; once per process."""
    parse = InfoExtractor._parse_mpd_periods
    accept = HlsFD.can_download

    def marked(extractor: Any, document: Any, *rest: Any, **more: Any) -> Iterator[dict[str, Any]]:
        for period in parse(extractor, document, *rest, **more):
            for item in period["formats"]:
                item[GOES_ON] = document.get("type") == "dynamic"
            yield period

    def checked(manifest: str, info: dict[str, Any], *rest: Any) -> bool:
        if info["ext"] != "vtt" and _is_unsaid(info) and goes_on(manifest):
            raise JobError(Code.LIVE, "an HLS playlist without an end")
        return bool(accept(manifest, info, *rest))

    InfoExtractor._parse_mpd_periods = marked
    HlsFD.can_download = staticmethod(checked)


def goes_on(playlist: str) -> bool:
    """True for an HLS playlist of segments to which its server may add some."""
    is_whole = "#EXT-X-ENDLIST" in playlist or "#EXT-X-PLAYLIST-TYPE:VOD" in playlist
    return "#EXT-X-TARGETDURATION" in playlist and not is_whole


def _is_unsaid(info: dict[str, Any]) -> bool:
    return info.get("live_status") is None and info.get("is_live") is None
