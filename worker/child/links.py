"""Which links are let near yt-dlp at all, and which video they mean without asking the network."""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from shared.errors import Code, JobError
from worker.child.identity import media_id
from worker.child.protocol import Identity
from worker.child.sieve import Extractors

MAX_LINK = 8192  # characters
_FORBIDDEN = re.compile(r"[\x00-\x20\x7f]")
_SMUGGLED = "__youtubedl_smuggle"  # how extractors pass private data to each other inside a URL


def check_link(link: str, extractors: Iterable[Any]) -> None:
    """Raise JobError(INVALID_LINK) unless it is http(s), or a plug-in's own kind of link."""
    if not link or len(link) > MAX_LINK or _FORBIDDEN.search(link) or _SMUGGLED in link:
        raise JobError(Code.INVALID_LINK, "empty, too long, or with characters that do not belong in a link")
    try:
        parts = urlsplit(link)
        host = parts.hostname
    except ValueError as error:
        raise JobError(Code.INVALID_LINK, str(error)) from error
    if parts.scheme.lower() in ("http", "https"):
        if not host:
            raise JobError(Code.INVALID_LINK, "no host")
    elif not any(_is_plugin(extractor) and extractor.suitable(link) for extractor in extractors):
        raise JobError(Code.INVALID_LINK, f"scheme {parts.scheme!r}")


def _is_plugin(extractor: Any) -> bool:
    """Plug-ins are installed by the owner, who may give them link schemes; searches are no links."""
    return extractor.__module__.startswith("yt_dlp_plugins.") and not getattr(extractor, "SEARCH_KEY", None)


def identify(link: str, extractors: Extractors) -> Identity | None:
    """The video a link means, by the URL patterns alone; None for what only the generic extractor takes."""
    try:
        check_link(link, extractors.values())
    except JobError:
        return None
    key = extractors.first(link)
    found = None if key in (None, "Generic") else extractors[key].get_temp_id(link)
    return Identity(extractor=key, media_id=media_id(found)) if key and found else None
