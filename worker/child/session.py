"""One job inside its child: holds what probing found, and answers the worker's calls."""

import itertools
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from yt_dlp.utils import MEDIA_EXTENSIONS

from shared.errors import Code, JobError
from shared.options import Options
from worker.child import bounds, captions, describe, downloads, extras, failures, formats, links, live
from worker.child.abort import TRIPWIRE
from worker.child.budget import Budget, too_large
from worker.child.patience import Patience
from worker.child.protocol import CaptionFile, Limits, Media, StreamFile
from worker.child.sieve import Extractors
from worker.child.wire import Wire
from worker.child.ydl import Downloader, Info, options

_MAX_COUNTED = 1000  # entries of a playlist
_COUNTING_TIME = 5.0  # seconds
_NO_MEDIA = frozenset({*MEDIA_EXTENSIONS.thumbnails, *MEDIA_EXTENSIONS.subtitles, "gif", "jpeg"})


class _Extraction(Downloader):
    """A downloader that takes the first entry of a playlist and never looks at the others."""

    def __init__(self, playlist_limit: int, **rest: Any) -> None:
        self.playlist_limit = playlist_limit
        self.playlist_count: int | None = None
        super().__init__(**rest)

    def process_ie_result(self, ie_result: Info, download: bool = True, extra_info: Any = None) -> Any:
        """Replace a playlist, however deep, by its first entry. Raises JobError(PLAYLIST)."""
        if ie_result.get("_type") in ("playlist", "multi_video"):
            ie_result = self._first_entry(ie_result)
        return super().process_ie_result(ie_result, download, extra_info)

    def process_video_result(self, info_dict: Info, download: bool = True) -> Any:
        """Refuse what no machine should sort before yt-dlp sorts it."""
        bounds.check_formats(info_dict)
        return super().process_video_result(info_dict, download)

    def _first_entry(self, playlist: Info) -> Info:
        entries = iter(playlist.get("entries") or ())
        first = next((entry for entry in entries if entry), None)
        if first is None:
            raise JobError(Code.UNSUPPORTED, "an empty playlist")
        count, is_exact = _count(playlist, entries)
        if count > 1:
            if self.playlist_limit < 1:
                number = str(count) if is_exact else f"more than {count - 1}"
                raise JobError(Code.PLAYLIST, sentence=f"That link is a playlist of {number} videos.")
            self.playlist_count = self.playlist_count or count
        for key in ("extractor", "extractor_key", "webpage_url"):
            if first.get("_type", "video") == "video":
                first.setdefault(key, playlist.get(key))
        return dict(first)


def _count(playlist: Info, rest: Iterable[Any]) -> tuple[int, bool]:
    """How many entries, and whether that is exact; lazy lists are counted for a while only."""
    stated = playlist.get("playlist_count")
    if isinstance(stated, int) and stated > 0:
        return stated, True
    if isinstance(playlist.get("entries"), list):
        return len(playlist["entries"]), True
    count, give_up = 1, time.monotonic() + _COUNTING_TIME
    for _ in itertools.islice(rest, _MAX_COUNTED):
        count += 1
        if time.monotonic() > give_up:
            return count, False
    return count, count <= _MAX_COUNTED


class Session:
    """The state of one job's child. Every method raises what went wrong; `failures` explains it."""

    def __init__(
        self,
        work_dir: Path,
        limits: Limits,
        cookie_file: Path | None,
        wire: Wire | None,
        extractors: Extractors | None,
    ) -> None:
        self.work_dir = work_dir
        self.limits = limits
        self.wire = wire
        self.patience = Patience(limits)
        self.budget = Budget(limits.max_bytes, wire.arrived if wire else lambda count: None, limits.room)
        self.ydl = _Extraction(
            limits.playlist_limit, params=options(cookie_file), budget=self.budget, extractors=extractors
        )
        self._info: Info | None = None
        self._link = ""

    @property
    def unsure_site(self) -> str | None:
        """The link's site where strangers may have led us away from it; None where only the site can."""
        return failures.site_at(self._link) if self.ydl.is_led_anywhere else None

    @property
    def info(self) -> Info:
        """What `probe` found. Raises JobError when nothing was probed."""
        if self._info is None:
            raise JobError(Code.INTERNAL, "nothing was probed yet")
        return self._info

    def probe(self, link: str) -> Media:
        """Look at a link; refuses what is live, protected, or no media."""
        links.check_link(link, self.ydl._ies.values())
        self._link = link
        self.budget.start()
        info = self.ydl.extract_info(link, download=False)
        if not info:
            raise JobError(Code.UNSUPPORTED, "the extractor returned nothing")
        _check(info)
        self._info = info
        return describe.describe(info, self.ydl.playlist_count, hides_captions=self.ydl.hides_captions)

    def download(self, wanted: Options) -> tuple[StreamFile, ...]:
        """Fetch the formats that fit into the work folder, resuming what is there."""
        choices = formats.select(describe.all_formats(self.info), wanted)
        if not choices:
            raise JobError(Code.NO_FORMAT, "no format can be fetched")
        limit = self.limits.max_bytes
        if formats.known_too_large(choices, limit):
            sentence = too_large(limit, sum(choice.size or 0 for choice in choices))
            raise JobError(
                Code.TOO_LARGE, f"larger than {limit} bytes by what the site says", sentence=sentence
            )
        if self.limits.room is not None and formats.known_too_large(choices, self.limits.room):
            raise JobError(Code.DISK_FULL, f"larger than the {self.limits.room} bytes that are free")
        return downloads.fetch_all(self.ydl, self.info, choices, self.work_dir, self.wire)

    def captions(self, languages: tuple[str, ...]) -> tuple[CaptionFile, ...]:
        """Fetch the caption tracks that fit the languages."""
        alive = self.wire.alive if self.wire else lambda: None
        return captions.fetch_all(self.ydl, self.info, languages, self.work_dir, self.patience, alive)

    def extras(self) -> tuple[Path | None, Path]:
        """Fetch the thumbnail, if there is one, and write the info JSON."""
        thumbnail = extras.fetch_thumbnail(self.ydl, self.info, self.work_dir, self.patience)
        TRIPWIRE.reset()
        return thumbnail, extras.write_info(self.info, self.work_dir)


def _check(info: Info) -> None:
    live.check(info)
    if info.get("direct") and info.get("formats") is None and info.get("ext") in _NO_MEDIA:
        raise JobError(Code.UNSUPPORTED, f"a {info['ext']} file")
    offered = describe.all_formats(info)
    if not formats.usable(offered):
        if info.get("_has_drm"):
            raise JobError(Code.DRM, "every format is protected")
        raise JobError(Code.UNSUPPORTED, "no format that can be fetched over http")
