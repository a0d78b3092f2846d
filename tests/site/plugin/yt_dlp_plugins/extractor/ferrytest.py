"""A yt-dlp extractor for tests: YouTube-shaped videos whose bytes come from the media site.

Put `tests/site/plugin` into PYTHONPATH of the process that runs yt-dlp. These links are one video:

    ferrytest:NAME                  ferrytest:watch?v=NAME&t=3
    http://HOST:PORT/tube/NAME      http://HOST:PORT/tube/watch?v=NAME&t=3

The `ferrytest:` forms need to know the site: `&base=http://HOST:PORT`, or FERRYTEST_BASE in the environment.
This file stands alone: the process that loads it does not know the tests.
"""

import os
import signal
import time
from typing import Any

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import ExtractorError, parse_qs

_HOUR = 3600


class FerryTestIE(InfoExtractor):  # type: ignore[misc]  # yt-dlp comes without types
    """Asks the site what a video is, as YouTube's extractor asks its player API, and raises its refusals."""

    IE_NAME = "ferrytest"
    _VALID_URL = (
        r"(?:ferrytest:|(?P<base>https?://[^/?#]+)/tube/)"
        r"(?:watch\?(?:[^#]*&)?v=)?(?P<id>[\w-]+)(?:[?&#].*)?$"
    )
    _COOKIES_WIKI = "https://github.com/yt-dlp/yt-dlp/wiki/Extractors#exporting-youtube-cookies"

    def _real_extract(self, url: str) -> dict[str, Any]:
        video_id = self._match_id(url)
        query = {name: values[-1] for name, values in parse_qs(url).items()}
        base = self._match_valid_url(url)["base"] or query.pop("base", os.environ.get("FERRYTEST_BASE"))
        if not base:
            raise ExtractorError("ferrytest links need base= or FERRYTEST_BASE", expected=True)
        self._misbehave(video_id.partition("-")[0])
        answer: dict[str, Any] = self._download_json(
            f"{base.rstrip('/')}/tube/api/player",
            video_id,
            "Downloading player API JSON",
            "Unable to download API page",
            query={**query, "v": video_id},
        )
        if playlist := answer.get("playlist"):
            entries = [self.url_result(entry, FerryTestIE) for entry in playlist["entries"]]
            result: dict[str, Any] = self.playlist_result(entries, playlist["id"], playlist["title"])
            return result
        info: dict[str, Any] = answer["info"]
        if refusal := answer["refusal"]:
            self._refuse(video_id, **refusal)
        if query.get("captions") == "hidden":  # in the words of YouTube's extractor
            missing = "There are missing subtitles languages because a PO token was not provided."
            self.write_debug(f"{video_id}: {missing} Subtitles for these languages are missing: en.")
        translated = info.pop("translated_manual")
        if self.get_param("writeautomaticsub") or self.get_param("listsubtitles"):
            info["automatic_captions"] |= translated
        return info

    def _misbehave(self, scene: str) -> None:
        """What a real extractor does on a bad day."""
        if scene == "stuck":  # busy in Python, deaf to Ctrl-C
            ends = time.monotonic() + _HOUR
            while time.monotonic() < ends:
                try:
                    time.sleep(1)
                except BaseException:
                    continue
        if scene == "crash":
            os.kill(os.getpid(), signal.SIGKILL)
        if scene == "bug":
            raise KeyError("videoDetails")

    def _refuse(self, video_id: str, kind: str, reason: str) -> None:
        if kind == "drm":
            self.report_drm(video_id)
        elif kind == "geo":
            self.raise_geo_restricted(reason, countries=["DE", "AT"], metadata_available=True)
        elif kind == "login":
            hint = self._login_hint(method="cookies")
            also = f"Also see  {self._COOKIES_WIKI}  for tips on effectively exporting YouTube cookies"
            self.raise_no_formats(f"{reason}. {hint}. {also}", expected=True)
        else:
            self.raise_no_formats(reason, expected=True)
