"""yt-dlp as a child uses it: our options, guarded and counted requests, nothing of the user's own."""

import logging
import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yt_dlp
from yt_dlp.downloader.common import FileDownloader
from yt_dlp.networking._requests import RequestsRH
from yt_dlp.networking.exceptions import HTTPError

from shared.errors import Code
from worker.child import proxy
from worker.child.abort import TRIPWIRE
from worker.child.budget import Budget
from worker.child.failures import site_at
from worker.child.process import die_with_parent
from worker.child.sieve import Extractors

try:
    from curl_cffi.const import CurlOpt
    from yt_dlp.networking._curlcffi import CurlCFFIRH
except ImportError:  # impersonation is an extra of yt-dlp's
    CurlCFFIRH = None

log = logging.getLogger("linkferry.child")

Info = dict[str, Any]
RETRIES = 3
FRAGMENTS_AT_ONCE = 8
SOCKET_TIMEOUT = 20.0  # seconds
_NO_FFMPEG = "/nonexistent/ffmpeg"  # the child fetches; ffmpeg works on files only, in the worker
_MAX_LOG_LINE = 500
_TLS_CONTEXTS: dict[tuple[Any, ...], Any] = {}


class _Log:
    """Sends yt-dlp's messages to the log, shortened."""

    def debug(self, message: str) -> None:
        log.debug(message[:_MAX_LOG_LINE])

    def warning(self, message: str) -> None:
        log.info(message[:_MAX_LOG_LINE])

    def error(self, message: str) -> None:
        log.info(message[:_MAX_LOG_LINE])

    def stdout(self, message: str) -> None:
        log.debug(message[:_MAX_LOG_LINE])

    def stderr(self, message: str) -> None:
        log.debug(message[:_MAX_LOG_LINE])


HIDDEN = "There are missing subtitles languages because a PO token was not provided"


def _pause(n: int) -> float:
    """Seconds before try `n`; yt-dlp passes it by name."""
    return float(min(0.25 * 2**n, 2.0))


def _select_nothing(_: Any) -> list[Info]:
    """yt-dlp insists on a selection; an empty one leaves the info as the site gave it."""
    return [{}]


def options(cookie_file: Path | None) -> Info:
    """yt-dlp's parameters for one job. Nothing in here comes from a chat."""
    return {
        "quiet": True,
        "noprogress": True,
        "logger": _Log(),
        "color": "never",
        "proxy": "",  # not the environment's either
        "cachedir": False,
        "cookiefile": str(cookie_file) if cookie_file else None,
        "enable_file_urls": False,
        "socket_timeout": SOCKET_TIMEOUT,
        "retries": RETRIES,
        "fragment_retries": RETRIES,
        "extractor_retries": RETRIES - 1,
        "retry_sleep_functions": dict.fromkeys(("http", "fragment", "extractor", "file_access"), _pause),
        "skip_unavailable_fragments": False,
        "concurrent_fragment_downloads": FRAGMENTS_AT_ONCE,
        "hls_prefer_native": True,
        "external_downloader": {"default": "native"},
        "ffmpeg_location": _NO_FFMPEG,
        "noplaylist": True,
        "playlist_items": "1",
        "format": _select_nothing,
        "writesubtitles": True,  # extractors skip captions otherwise
        "writeautomaticsub": True,
        "subtitleslangs": ["-all"],
        "continuedl": True,
        "updatetime": False,
        "remote_components": (),
        "js_runtimes": {"deno": {}},
    }


class GuardedRequestsRH(RequestsRH):  # type: ignore[misc]  # yt-dlp has no types
    """The plain HTTP handler; it does not read the bodies of redirects, which may be endless."""

    def _create_instance(self, cookiejar: Any, legacy_ssl_support: Any = None) -> Any:
        session = super()._create_instance(cookiejar=cookiejar, legacy_ssl_support=legacy_ssl_support)
        session.hooks["response"].append(_drop_redirect_body)
        return session

    def _make_sslcontext(self, legacy_ssl_support: Any = None) -> Any:
        # Reading the certificates takes longer than a small download: the warm process has done it.
        key = (legacy_ssl_support, self.verify, self.legacy_ssl_support)
        if key not in _TLS_CONTEXTS:
            _TLS_CONTEXTS[key] = super()._make_sslcontext(legacy_ssl_support=legacy_ssl_support)
        return _TLS_CONTEXTS[key]


def _drop_redirect_body(response: Any, *_: Any, **__: Any) -> None:
    if response.is_redirect:
        response._content = b""
        response._content_consumed = True
        response.raw.close()


def _guarded_curl() -> Any:
    class GuardedCurlCFFIRH(CurlCFFIRH):  # type: ignore[misc]
        """libcurl opens its own sockets, which no audit hook sees: it must use our proxy."""

        def _get_proxies(self, request: Any) -> dict[str, str]:
            return {"all": proxy.address()}

        def _create_instance(self, cookiejar: Any = None) -> Any:
            session = super()._create_instance(cookiejar=cookiejar)
            # A tunnel also for http: libcurl sends requests for any host over a connection to a mere proxy.
            session.curl_options[CurlOpt.HTTPPROXYTUNNEL] = 1
            return session

    return GuardedCurlCFFIRH


class Downloader(yt_dlp.YoutubeDL):  # type: ignore[misc]
    """YoutubeDL whose requests are http(s) only, guarded, and counted."""

    def __init__(self, params: Info, budget: Budget, extractors: Extractors | None = None) -> None:
        """`extractors` are those of a warm instance; without them they are loaded, which takes a while."""
        self.budget = budget
        self.hides_captions = False
        self.is_led_anywhere = False
        self._first_site = ""
        super().__init__(params, auto_init=False if extractors else "no_verbose_header")
        if extractors:
            # The very dict: after a fork, to touch every extractor once is to copy their pages.
            self._ies = extractors

    def extract_info(
        self, url: str, download: bool = True, ie_key: str | None = None, *rest: Any, **more: Any
    ) -> Any:
        """What yt-dlp says; which extractor it is for is known without asking each.

        The generic one goes wherever a page or a redirect of anybody's leads; those of shorteners hand a URL
        of another site on.
        """
        if isinstance(self._ies, Extractors):
            ie_key = ie_key or self._ies.first(url)
        site = site_at(url)
        self._first_site = self._first_site or site
        self.is_led_anywhere |= ie_key == "Generic" or site not in ("", self._first_site)
        return super().extract_info(url, download, ie_key, *rest, **more)

    def write_debug(self, message: str, *args: Any, **more: Any) -> None:
        """YouTube's extractor says only here that it left out captions which the site gives its own apps."""
        self.hides_captions |= HIDDEN in message
        super().write_debug(message, *args, **more)

    def report_warning(self, message: str, *args: Any, **more: Any) -> None:
        """Or here."""
        self.hides_captions |= HIDDEN in message
        super().report_warning(message, *args, **more)

    def build_request_director(self, handlers: Any, preferences: Any = None) -> Any:
        guarded = [GuardedRequestsRH] if CurlCFFIRH is None else [GuardedRequestsRH, _guarded_curl()]
        return super().build_request_director(guarded, preferences)

    def urlopen(self, req: Any) -> Any:
        """Open a URL, unless a rule was broken before; see `abort.py`."""
        TRIPWIRE.check()
        url = req if isinstance(req, str) else getattr(req, "url", None) or req.full_url
        scheme = urlsplit(url).scheme.lower()
        if scheme not in ("http", "https", ""):
            raise TRIPWIRE.trip(Code.UNSUPPORTED, f"refused to open a {scheme}: address")
        try:
            return self.budget.watch(super().urlopen(req))
        except Exception as error:
            TRIPWIRE.check()  # in curl's case the proxy was stopped, and curl tells it in its own words
            if isinstance(error, HTTPError):
                self.budget.watch(error.response)
            raise


def tie_programs() -> None:
    """Have every program that yt-dlp starts (deno) die with the child that started it; once per process.

    They are in the child's group, which the warm process ends; this is for when that was killed itself.
    """
    begin = yt_dlp.utils.Popen.__init__

    def tied(popen: Any, *args: Any, **more: Any) -> None:
        more.setdefault("preexec_fn", partial(die_with_parent, signal.SIGKILL, os.getpid()))
        begin(popen, *args, **more)

    yt_dlp.utils.Popen.__init__ = tied


def draw_no_bars() -> None:
    """Have yt-dlp work out no bars, two for each block that arrives: nobody sees them; once per process."""
    FileDownloader.report_progress = lambda *_: None


def configure_log() -> None:
    """Log lines of the warm process and its children: level and text on stderr, which the worker reads."""
    logging.basicConfig(
        stream=sys.stderr, level=logging.DEBUG, format="%(levelname)s %(process)d %(message)s"
    )
    for noisy in ("urllib3", "asyncio", "charset_normalizer"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
