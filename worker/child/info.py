"""The info JSON: what describes the media, and nothing a site meant for one visitor only. Pure.

Media, manifest and caption addresses are signed for whoever asked, headers and cookies log in: none of them
is written. Only what is named here is, so that a key yt-dlp invents tomorrow stays out until somebody looks.
"""

from collections.abc import Iterable
from typing import Any

from worker.child import describe, tracks

_MAX_TEXT = 50_000  # characters
_MAX_ITEMS = 1000
_DESCRIPTIVE = (
    *("id", "display_id", "title", "fulltitle", "alt_title", "description", "extractor", "extractor_key"),
    *("channel", "channel_id", "channel_follower_count", "uploader", "uploader_id", "creator", "creators"),
    *("artist", "artists", "album", "album_artist", "album_artists", "album_type", "composer", "composers"),
    *("track", "track_number", "disc_number", "genre", "genres", "release_year", "cast", "license"),
    *("upload_date", "release_date", "modified_date", "timestamp", "release_timestamp"),
    *("modified_timestamp", "duration", "duration_string", "view_count", "like_count", "dislike_count"),
    *("repost_count", "comment_count", "average_rating", "age_limit", "categories", "tags", "language"),
    *("live_status", "was_live", "media_type", "availability", "location", "webpage_url_domain"),
    *("series", "series_id", "season", "season_id", "season_number", "episode", "episode_id"),
    *("episode_number", "playlist", "playlist_id", "playlist_title", "playlist_index", "playlist_count"),
)
_OF_FORMAT = (
    *("format_id", "format", "format_note", "ext", "container", "protocol", "resolution", "aspect_ratio"),
    *("width", "height", "fps", "dynamic_range", "vcodec", "acodec", "tbr", "vbr", "abr", "asr"),
    *("audio_channels", "filesize", "filesize_approx", "language", "language_preference", "has_drm"),
)
_OF_CHAPTER = ("title", "start_time", "end_time")


def public_info(info: dict[str, Any]) -> dict[str, Any]:
    """The descriptive part of yt-dlp's info, as values that JSON knows."""
    return {
        **_only(info, _DESCRIPTIVE),
        "webpage_url": describe.public_url(str(info.get("webpage_url") or "")),
        "chapters": _each(info.get("chapters"), _OF_CHAPTER),
        "formats": _each(describe.all_formats(info), _OF_FORMAT),
        "subtitles": _bounded(tracks.manual_languages(info.get("subtitles") or {})),
        "automatic_captions": _bounded(tracks.automatic_languages(info.get("automatic_captions") or {})),
    }


def _each(items: Any, keys: Iterable[str]) -> list[dict[str, Any]]:
    return [_only(item, keys) for item in _bounded(items or ()) if isinstance(item, dict)]


def _only(item: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    plain = ((key, _plain(item.get(key))) for key in keys)
    return {key: value for key, value in plain if value is not None}


def _plain(value: Any) -> Any:
    """Texts, numbers, and lists of texts; None for everything else."""
    if isinstance(value, str):
        return value[:_MAX_TEXT]
    if isinstance(value, list | tuple):
        return [item[:_MAX_TEXT] for item in _bounded(value) if isinstance(item, str)]
    return value if isinstance(value, bool | int | float) else None


def _bounded(items: Iterable[Any]) -> list[Any]:
    return [item for _, item in zip(range(_MAX_ITEMS), items, strict=False)]
