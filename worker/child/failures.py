"""What yt-dlp's exceptions mean in our codes. Pure; every rule is tested by a table."""

import errno
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import yt_dlp.networking.exceptions as net
from yt_dlp.utils import ContentTooShortError, ExtractorError, GeoRestrictedError, UnsupportedError

from shared.errors import FAILURES, Code, JobError, Retry
from shared.link import site_of
from worker.child.abort import Abort
from worker.child.protocol import MAX_RETRY_AFTER, Failed

_MAX_DETAIL = 1000  # characters

# The first that matches decides. Bot checks come before logins: both say "sign in".
_MESSAGES: tuple[tuple[Code, str], ...] = (
    (Code.BOT_CHECK, r"not a bot|captcha|unusual traffic|are you (?:a )?human|cloudflare anti-bot"),
    (Code.THROTTLED, r"HTTP Error 429|too many requests|rate.?limit"),
    (Code.AGE_RESTRICTED, r"confirm your age|age.?restricted|age.?verif|inappropriate for some users"),
    (Code.DRM, r"\bDRM\b"),
    (
        Code.LIVE,
        r"premieres? (?:in|will)|will begin (?:in|at|shortly)|live event (?:will|has not)|not yet started"
        r"|(?:stream|broadcast) (?:is|has) (?:not (?:yet )?started|offline)",
    ),
    (Code.PRIVATE, r"\bprivate (?:video|account|playlist)|is private\b|private, (?:and|you)"),
    (
        Code.LOGIN_REQUIRED,
        r"members.only|join this channel|requires? (?:a )?(?:payment|subscription|purchase)"
        r"|log ?in\b|sign ?in\b|registered users|--cookies"
        r"|account credentials|requires? authentication|subscribers",
    ),
    (
        Code.GEO_BLOCKED,
        r"geo.?(?:restrict|block)|(?:in|from) your (?:country|location|region)|your location",
    ),
    (
        Code.NOT_FOUND,
        r"HTTP Error 4(?:04|10)|been removed|no longer available|does ?n[o']t exist|not found"
        r"|video (?:is )?(?:unavailable|not available)|been (?:deleted|terminated)|account .*terminated",
    ),
    (Code.SITE_ERROR, r"check back later|try again later|(?:still|we're) processing"),
    (
        Code.UNSUPPORTED,
        r"unsupported url|ffmpeg could not be found|no video formats found|no media found"
        r"|only images are available",
    ),
    (Code.NO_FORMAT, r"requested format is not available"),
    (Code.BROKEN_FILE, r"did not get any data blocks|downloaded file is empty|fragment \d+ not found"),
)
_RULES = tuple((code, re.compile(pattern, re.IGNORECASE)) for code, pattern in _MESSAGES)
# Asked only when there is no status: "giving up" is said about statuses, too.
_BROKEN_CONNECTION = re.compile(
    r"bytes read|more expected|expected \d+ bytes|timed out|giving up after"
    r"|connection (?:refused|reset|aborted|broken|closed)|failed to resolve",
    re.IGNORECASE,
)

_STATUS: dict[int, Code] = {
    401: Code.LOGIN_REQUIRED,
    402: Code.LOGIN_REQUIRED,
    404: Code.NOT_FOUND,
    408: Code.NETWORK,
    410: Code.NOT_FOUND,
    429: Code.THROTTLED,
    451: Code.GEO_BLOCKED,
}
_ERRNO: dict[int, Code] = {
    errno.EFBIG: Code.TOO_LARGE,
    errno.ENOMEM: Code.TOO_LARGE,
    errno.ENOSPC: Code.DISK_FULL,
    errno.EDQUOT: Code.DISK_FULL,
}


def explain(error: BaseException, site: str | None = None) -> Failed:
    """Find the code for whatever a call raised.

    `site` is that of a link that may have led to strangers: it is let rest only when it asks for that itself,
    or they could have any site rest that sends people on to them.
    """
    causes = list(_causes(error))
    answer = next((cause for cause in causes if isinstance(cause, net.HTTPError)), None)
    failed = _explain(error, causes, answer)
    meaning = FAILURES[failed.code]
    if (
        site is None
        or meaning.retry is not Retry.COOL_DOWN
        or (answer and site_at(answer.response.url) == site)
    ):
        return failed
    return failed.model_copy(
        update={"code": Code.SITE_ERROR, "sentence": failed.sentence or meaning.sentence}
    )


def site_at(url: str) -> str:
    """The site that a URL is of, as `shared.link` has it; empty for what is no URL."""
    try:
        return site_of(urlsplit(url).hostname or "")
    except ValueError:
        return ""


def _explain(error: BaseException, causes: list[BaseException], answer: net.HTTPError | None) -> Failed:
    for cause in causes:
        if isinstance(cause, JobError):
            return Failed(
                code=cause.code,
                detail=cause.detail[:_MAX_DETAIL],
                sentence=cause.sentence,
                retry_after=cause.retry_after,
            )
        if isinstance(cause, Abort):
            return Failed(code=cause.code, detail=cause.detail[:_MAX_DETAIL], sentence=cause.sentence)
    return Failed(
        code=_code(error, causes, answer),
        detail=f"{type(error).__name__}: {error}"[:_MAX_DETAIL],
        retry_after=_retry_after(answer) if answer is not None else None,
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and everything behind it, nearest first; yt-dlp keeps causes in three places."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting:
        current = waiting.pop(0)
        if not isinstance(current, BaseException) or id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        info = getattr(current, "exc_info", None)
        waiting += [getattr(current, "cause", None), info[1] if isinstance(info, tuple) else None]
        waiting += [current.__cause__, current.__context__, getattr(current, "reason", None)]


def _code(error: BaseException, causes: list[BaseException], answer: net.HTTPError | None) -> Code:
    for cause in causes:
        if isinstance(cause, MemoryError):
            return Code.TOO_LARGE
        if isinstance(cause, OSError) and cause.errno in _ERRNO:
            return _ERRNO[cause.errno]
        if isinstance(cause, GeoRestrictedError):
            return Code.GEO_BLOCKED
        if isinstance(cause, UnsupportedError):
            return Code.UNSUPPORTED
    text = f"{error}\n" + "\n".join(str(cause) for cause in causes if isinstance(cause, ExtractorError))
    if (code := _by_message(text)) is not None:
        return code
    if answer is not None:
        return by_status(answer.status)
    if (match := re.search(r"HTTP Error (\d{3})", text)) is not None:
        return by_status(int(match[1]))
    if _BROKEN_CONNECTION.search(text):
        return Code.NETWORK
    if any(isinstance(cause, net.TransportError | ContentTooShortError | OSError) for cause in causes):
        return Code.NETWORK
    expected = any(isinstance(cause, ExtractorError) and cause.expected for cause in causes)
    return Code.UNSUPPORTED if expected else Code.INTERNAL


def _by_message(text: str) -> Code | None:
    for number, code in _ERRNO.items():
        if f"[Errno {number}]" in text:
            return code
    return next((code for code, pattern in _RULES if pattern.search(text)), None)


def by_status(status: int) -> Code:
    """The code for an HTTP status that is an error."""
    return _STATUS.get(status, Code.SITE_ERROR)


def _retry_after(answer: net.HTTPError) -> float | None:
    return parse_retry_after(answer.response.headers.get("Retry-After"), datetime.now(UTC))


def parse_retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds to wait from a Retry-After header, which holds seconds or a date; None when unreadable."""
    if not value:
        return None
    value = value.strip()
    if value.isascii() and value.isdigit():
        return min(float(value), MAX_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(value)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return min(max(0.0, (when - now).total_seconds()), MAX_RETRY_AFTER)
