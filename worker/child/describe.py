"""From yt-dlp's info to our `Media`: bounded, cleaned. Pure."""

import unicodedata
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from shared.languages import UNKNOWN
from worker.child import formats, identity, tracks
from worker.child.protocol import Chapter, Media

_MAX_TITLE = 1000  # characters
_MAX_FIELD = 300
_MAX_URL = 2000
_MAX_CHAPTERS = 1000
_MAX_LANGUAGES = 500
_DIRECTION_MARKS = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def describe(
    info: dict[str, Any], playlist_count: int | None = None, *, hides_captions: bool = False
) -> Media:
    """What a person and the worker need to know of a processed info dict."""
    offered = all_formats(info)
    manual, automatic = info.get("subtitles") or {}, info.get("automatic_captions") or {}
    return Media(
        extractor=clean(info.get("extractor_key") or "Generic", _MAX_FIELD),
        media_id=identity.media_id(info.get("id"), str(info.get("webpage_url") or info.get("url") or "")),
        title=clean(info.get("title") or info.get("id") or "", _MAX_TITLE),
        duration=_positive(info.get("duration")),
        channel=clean(info.get("channel") or info.get("uploader") or "", _MAX_FIELD) or None,
        upload_date=_date(info.get("upload_date")),
        chapters=_chapters(info),
        offers=formats.offers(offered),
        has_audio=formats.has_audio(offered),
        language=original_language(info),
        captions=tuple(tracks.manual_languages(manual))[:_MAX_LANGUAGES],
        automatic_captions=tuple(tracks.automatic_languages(automatic))[:_MAX_LANGUAGES],
        hides_captions=hides_captions,
        playlist_count=playlist_count,
    )


def all_formats(info: dict[str, Any]) -> list[dict[str, Any]]:
    """The info's formats; some extractors give the only one as the info itself."""
    if info.get("formats") is not None:
        return list(info["formats"])
    return [info] if info.get("url") else []


def clean(text: object, limit: int) -> str:
    """One line without control characters or direction overrides, at most `limit` characters."""
    kept = (
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in str(text)[: limit * 4]
        if character not in _DIRECTION_MARKS and unicodedata.category(character) != "Cs"
    )
    return " ".join("".join(kept).split())[:limit]


def public_url(url: str) -> str:
    """The address without a name and password in it; empty when it is none that a browser would open."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or len(url) > _MAX_URL or not url.isprintable():
        return ""
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def original_language(info: dict[str, Any]) -> str | None:
    """The language spoken in it, as far as the site says."""
    if info.get("language"):
        return _language(info["language"])
    spoken = [item for item in all_formats(info) if item.get("language") and item.get("acodec") != "none"]
    if not spoken:
        return None
    best = max(
        spoken,
        key=lambda item: (item.get("language_preference") or 0, item.get("source_preference") or 0),
    )
    return _language(best["language"])


def _language(name: object) -> str | None:
    code = tracks.clean_language(name)
    return None if code == UNKNOWN else code


def _positive(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _date(value: object) -> str | None:
    text = str(value or "")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}" if len(text) == 8 and text.isdigit() else None


def _chapters(info: dict[str, Any]) -> tuple[Chapter, ...]:
    found = []
    for item in (info.get("chapters") or [])[:_MAX_CHAPTERS]:
        start, end = item.get("start_time"), item.get("end_time")
        if isinstance(start, int | float) and isinstance(end, int | float) and end > start >= 0:
            found.append(Chapter(start=start, end=end, title=clean(item.get("title") or "", _MAX_FIELD)))
    return tuple(found)
