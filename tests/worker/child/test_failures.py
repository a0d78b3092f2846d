"""What exceptions mean. The sentences are those that extractors really say."""

import errno
from datetime import UTC, datetime
from io import BytesIO

import pytest
import yt_dlp
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, SSLError, TransportError
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnsupportedError,
    UserNotLive,
)

from shared.errors import Code, JobError
from worker.child.abort import Abort
from worker.child.budget import Budget
from worker.child.failures import explain, parse_retry_after
from worker.child.ydl import Downloader, options


def http(status: int, **headers: str) -> HTTPError:
    return HTTPError(Response(BytesIO(), "https://site.example/", headers, status=status))


def wrapped(error: Exception) -> DownloadError:
    """As yt-dlp's report_error wraps what an extractor raised."""
    try:
        raise ExtractorError("Unable to download webpage", cause=error, expected=True) from error
    except ExtractorError as outer:
        return DownloadError(f"ERROR: {outer}", (type(outer), outer, None))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("Sign in to confirm you’re not a bot. Use --cookies", Code.BOT_CHECK),
        ("Sign in to confirm your age. This video may be inappropriate", Code.AGE_RESTRICTED),
        ("Private video. Sign in if you've been granted access", Code.PRIVATE),
        ("This video is private", Code.PRIVATE),
        ("Join this channel to get access to members-only content", Code.LOGIN_REQUIRED),
        ("This video is only available for registered users", Code.LOGIN_REQUIRED),
        ("This video requires payment to watch", Code.LOGIN_REQUIRED),
        ("The uploader has not made this video available in your country", Code.GEO_BLOCKED),
        ("This video is not available from your location due to geo restriction", Code.GEO_BLOCKED),
        ("This video is DRM protected", Code.DRM),
        ("Premieres in 3 days", Code.LIVE),
        ("This live event will begin in 2 hours.", Code.LIVE),
        ("Video unavailable. This video has been removed by the uploader", Code.NOT_FOUND),
        ("Requested format is not available", Code.NO_FORMAT),
        ("No video formats found!", Code.UNSUPPORTED),
        ("This content isn't available, try again later. rate-limited by the site", Code.THROTTLED),
        (
            "[download] Got error: HTTP Error 503: Service Unavailable. Giving up after 3 retries",
            Code.SITE_ERROR,
        ),
        ("[download] Got error: HTTP Error 429: Too Many Requests", Code.THROTTLED),
        ("[download] Got error: 10 bytes read, 90 more expected. Giving up after 3 retries", Code.NETWORK),
        ("unable to write data: [Errno 27] File too large", Code.TOO_LARGE),
        ("unable to write data: [Errno 28] No space left on device", Code.DISK_FULL),
        ("Did not get any data blocks", Code.BROKEN_FILE),
        ("Something nobody has seen before", Code.INTERNAL),
    ],
)
def test_by_what_is_said(message: str, code: Code) -> None:
    assert explain(DownloadError(f"ERROR: {message}")).code is code


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (http(401), Code.LOGIN_REQUIRED),
        (http(403), Code.SITE_ERROR),
        (http(404), Code.NOT_FOUND),
        (http(410), Code.NOT_FOUND),
        (http(429), Code.THROTTLED),
        (http(451), Code.GEO_BLOCKED),
        (http(500), Code.SITE_ERROR),
        (http(503), Code.SITE_ERROR),
        (TransportError("Connection refused"), Code.NETWORK),
        (SSLError("handshake"), Code.NETWORK),
        (IncompleteRead(1, 2), Code.NETWORK),
        (ContentTooShortError(1, 2), Code.NETWORK),
        (TimeoutError("timed out"), Code.NETWORK),
        (OSError(errno.ENOSPC, "full"), Code.DISK_FULL),
        (OSError(errno.EFBIG, "large"), Code.TOO_LARGE),
        (GeoRestrictedError("no", countries=["DE"]), Code.GEO_BLOCKED),
        (UnsupportedError("https://site.example/"), Code.UNSUPPORTED),
        (UserNotLive(), Code.UNSUPPORTED),
        (ExtractorError("The site says something new", expected=True), Code.UNSUPPORTED),
    ],
    ids=repr,
)
def test_by_what_was_raised_bare_or_wrapped(error: Exception, code: Code) -> None:
    assert explain(error).code is code
    assert explain(wrapped(error)).code is code


@pytest.mark.parametrize("error", [KeyError("x"), AssertionError(), RecursionError("deep")])
def test_mistakes_are_internal(error: Exception) -> None:
    assert explain(error).code is Code.INTERNAL


def test_our_own_errors_stay_what_they_are() -> None:
    failed = explain(wrapped(JobError(Code.PLAYLIST, "why", sentence="Thirty videos.", retry_after=3)))
    assert (failed.code, failed.detail, failed.sentence, failed.retry_after) == (
        Code.PLAYLIST,
        "why",
        "Thirty videos.",
        3,
    )
    assert explain(Abort(Code.BLOCKED_ADDRESS, "10.0.0.1")).code is Code.BLOCKED_ADDRESS


def test_the_site_says_how_long_to_wait() -> None:
    assert explain(wrapped(http(429, **{"Retry-After": "7"}))).retry_after == 7.0


@pytest.mark.parametrize(
    ("error", "site", "code"),
    [
        (http(429), "site.example", Code.THROTTLED),
        (http(429), "short.example", Code.SITE_ERROR),
        (http(429), None, Code.THROTTLED),
        (DownloadError("ERROR: HTTP Error 429"), "short.example", Code.SITE_ERROR),  # nobody knows whose
        (DownloadError("ERROR: Cloudflare anti-bot challenge"), "short.example", Code.SITE_ERROR),
        (http(404), "short.example", Code.NOT_FOUND),
    ],
    ids=repr,
)
def test_who_led_us_away_does_not_rest_for_what_others_say(
    error: Exception, site: str | None, code: Code
) -> None:
    assert explain(error, site).code is code


@pytest.mark.parametrize(
    ("links", "is_led"),
    [
        (["https://t.co/a", "https://www.youtube.com/watch?v=1"], True),
        (["https://youtu.be/1", "https://www.youtube.com/watch?v=1", "1", "http://["], False),
    ],
)
def test_another_site_than_the_first_is_one_we_were_led_to(
    links: list[str], is_led: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yt_dlp.YoutubeDL, "extract_info", lambda *_: None)
    ydl = Downloader(options(None), Budget(1, lambda _: None))
    for link in links:
        ydl.extract_info(link, ie_key="Whatever")
    assert ydl.is_led_anywhere is is_led


def test_what_others_say_is_told_and_heeded_all_the_same() -> None:
    failed = explain(http(429, **{"Retry-After": "7"}), "short.example")
    assert (failed.sentence, failed.retry_after) == ("The site asks me to slow down.", 7.0)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-3", None),
        (" 30 ", 30.0),
        ("99999999", 86400.0),
        ("Wed, 21 Oct 2015 07:28:30 GMT", 30.0),
        ("Wed, 21 Oct 2015 07:00:00 GMT", 0.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, datetime(2015, 10, 21, 7, 28, tzinfo=UTC)) == seconds
