"""Which answer a request for a file gets: whole, a part, unchanged or an error. Pure functions (RFC 9110)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from http import HTTPStatus

# Numbers of more than 18 digits are no offsets of files; a range nobody understands is ignored (14.2).
_RANGE = re.compile(r"bytes\s*=\s*(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))", re.IGNORECASE)
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


@dataclass(frozen=True)
class Span:
    """Bytes `start` up to, not including, `end`."""

    start: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes."""
        return self.end - self.start


class NotSatisfiable(Exception):
    """The range begins after the file's end: 416 (RFC 9110, 15.5.17)."""


@dataclass(frozen=True)
class Validators:
    """What names this state of the file: a strong entity tag with its quotes, and seconds since 1970."""

    etag: str
    modified: int


def parse_range(header: str, size: int) -> Span | None:
    """The one range asked for in a file of `size` bytes; None to send the file whole (RFC 9110, 14.1.2).

    Malformed headers, other units and several ranges at once are ignored, as 14.2 allows.

    Raises:
        NotSatisfiable: the range has no byte of the file in it.
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None:
        return None
    first, last, suffix = match.groups()
    if suffix is not None:
        return _suffix_range(int(suffix), size)
    start = int(first)
    if last and int(last) < start:
        return None
    if start >= size:
        raise NotSatisfiable
    return Span(start, min(int(last) + 1, size) if last else size)


def _suffix_range(length: int, size: int) -> Span | None:
    if length == 0:
        raise NotSatisfiable
    # Satisfiable even in an empty file (14.1.2), but no Content-Range can say so: send it whole.
    return Span(max(size - length, 0), size) if size else None


def precondition(method: str, headers: Mapping[str, str], file: Validators) -> HTTPStatus | None:
    """304 or 412 when a precondition says so, None to go on; in the order of RFC 9110, 13.2.2.

    `headers` must find names in lower case. `method` is GET or HEAD.
    """
    if "if-match" in headers:
        if not _tag_listed(headers["if-match"], file.etag, weak=False):
            return HTTPStatus.PRECONDITION_FAILED
    elif (since := _http_date(headers.get("if-unmodified-since"))) is not None and file.modified > since:
        return HTTPStatus.PRECONDITION_FAILED
    if "if-none-match" in headers:
        if _tag_listed(headers["if-none-match"], file.etag, weak=True):
            return HTTPStatus.NOT_MODIFIED
    elif (since := _http_date(headers.get("if-modified-since"))) is not None and file.modified <= since:
        return HTTPStatus.NOT_MODIFIED
    return None


def wanted_span(method: str, headers: Mapping[str, str], file: Validators, size: int) -> Span | None:
    """The part to send, or None for all of it. Ranges are defined for GET only (RFC 9110, 14.2).

    Raises:
        NotSatisfiable: see `parse_range`.
    """
    if method != "GET" or "range" not in headers:
        return None
    if "if-range" in headers and not _same_state(headers["if-range"], file):
        return None
    return parse_range(headers["range"], size)


def _same_state(if_range: str, file: Validators) -> bool:
    """If-Range compares strongly: a weak tag never matches, a date only exactly (RFC 9110, 13.1.5)."""
    value = if_range.strip()
    if value.startswith(('"', "W/")):
        return value == file.etag
    return _http_date(value) == file.modified


def _tag_listed(header: str, etag: str, *, weak: bool) -> bool:
    if header.strip() == "*":
        return True
    tags: list[str] = _ENTITY_TAG.findall(header)
    return etag in ([tag.removeprefix("W/") for tag in tags] if weak else tags)


def _http_date(value: str | None) -> int | None:
    """Seconds since 1970, or None for what is no date: such a header is ignored (RFC 9110, 13.1.3)."""
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value)
        return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())
    except (ValueError, OverflowError):
        return None
