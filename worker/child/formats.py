"""Which of a site's formats to fetch for what a person asked. Pure.

A format is yt-dlp's dict; the list comes sorted by yt-dlp from worst to best, and its order breaks ties.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from shared.options import MediaFormat, Options, Quality
from worker.child.protocol import Offer

Format = dict[str, Any]
Kind = Literal["video", "audio", "both"]

# What yt-dlp fetches with Python code alone; everything else would need ffmpeg on the network.
PROTOCOLS = frozenset({"http", "https", "m3u8", "m3u8_native", "http_dash_segments", "ism"})
_APPROXIMATE = 1.5  # an estimated size is refused only this far above the limit

# Codec families a container carries without re-encoding, best first.
_VIDEO_FIT: dict[MediaFormat, tuple[tuple[str, ...], ...]] = {
    MediaFormat.MP4: (("avc", "h264"), ("hev", "hvc", "h265", "hevc"), ("av01", "av1"), ("vp9", "vp09")),
    MediaFormat.WEBM: (("vp9", "vp09"), ("av01", "av1"), ("vp8", "vp08")),
}
_AUDIO_FIT: dict[MediaFormat, tuple[tuple[str, ...], ...]] = {
    MediaFormat.MP4: (("mp4a", "aac"), ("ac-3", "ec-3", "ac3", "eac3", "mp3"), ("opus",)),
    MediaFormat.WEBM: (("opus",), ("vorbis",)),
    MediaFormat.M4A: (("mp4a", "aac"),),
    MediaFormat.MP3: (("mp3",),),
}
_ADEQUATE_HEIGHT = 360  # below it sites cut the sound's quality as well


@dataclass(frozen=True)
class Choice:
    """One format to fetch, and what it carries."""

    kind: Kind
    format: Format

    @property
    def size(self) -> int | None:
        """Bytes, maybe estimated; None when nobody knows."""
        size = self.format.get("filesize") or self.format.get("filesize_approx")
        return int(size) if size else None


def usable(formats: Sequence[Format]) -> list[Format]:
    """The formats that are media, unprotected, and can be fetched over http by Python code."""
    return [item for item in formats if _is_fetchable(item) and _is_media(item)]


def _is_fetchable(item: Format) -> bool:
    if item.get("has_drm") and item["has_drm"] != "maybe":
        return False
    protocols = str(item.get("protocol") or "http").split("+")
    return set(protocols) <= PROTOCOLS and urlsplit(str(item.get("url"))).scheme in ("http", "https")


def _is_media(item: Format) -> bool:
    return item.get("ext") != "mhtml" and not (item.get("vcodec") == "none" and item.get("acodec") == "none")


def kind_of(item: Format) -> Kind:
    """What a format carries; a codec nobody names is taken to be there."""
    if item.get("vcodec") == "none":
        return "audio"
    return "video" if item.get("acodec") == "none" else "both"


def height_of(item: Format) -> int | None:
    """The number people call a quality by: the shorter side, so that an upright 1080p is 1080p too."""
    sides = [int(side) for side in (item.get("width"), item.get("height")) if side]
    if len(sides) == 2:
        return min(sides)
    return int(item["height"]) if item.get("height") else None


def select(formats: Sequence[Format], options: Options) -> tuple[Choice, ...]:
    """One file, or a video and an audio file, for these options; empty when nothing fits.

    A link without any video gives its audio even when video was asked for. The worst audio is the smallest.
    """
    candidates = usable(formats)
    if options.format.is_audio and options.quality is Quality.WORST:
        return _select_smallest_sound(candidates)
    if options.format.is_audio:
        return _select_audio(candidates, options.format)
    pool = [item for item in candidates if kind_of(item) != "audio"]
    audio = _best_audio(candidates, options.format)
    return _select_video(pool, audio, options) or _select_audio(candidates, options.format)


def _select_audio(candidates: list[Format], container: MediaFormat) -> tuple[Choice, ...]:
    if (audio := _best_audio(candidates, container)) is not None:
        return (Choice("audio", audio),)
    both = [item for item in candidates if kind_of(item) == "both"]
    if not both:
        return ()
    adequate = [item for item in both if (height_of(item) or _ADEQUATE_HEIGHT) >= _ADEQUATE_HEIGHT]
    if adequate:
        return (Choice("both", min(adequate, key=lambda item: height_of(item) or 0)),)
    return (Choice("both", max(both, key=lambda item: height_of(item) or 0)),)


def _select_smallest_sound(candidates: list[Format]) -> tuple[Choice, ...]:
    """The fewest bytes that hold what the original says."""
    kinds: tuple[Kind, ...] = ("audio", "both")
    for kind in kinds:
        pool = [item for item in candidates if kind_of(item) == kind]
        if pool:
            first = max(_audio_rank(item, MediaFormat.WAV) for item in pool)
            original = [item for item in pool if _audio_rank(item, MediaFormat.WAV) == first]
            return (Choice(kind, min(original, key=_weight)),)
    return ()


def _weight(item: Format) -> tuple[float, float, float]:
    """Bytes where they are known, else the rate, else the height; what says nothing is heaviest."""
    size, rate = Choice(kind_of(item), item).size, item.get("tbr") or item.get("abr")
    return (size or math.inf, rate or math.inf, height_of(item) or math.inf)


def _best_audio(candidates: list[Format], container: MediaFormat) -> Format | None:
    ranked = [
        (_audio_rank(item, container), place, item)
        for place, item in enumerate(candidates)
        if kind_of(item) == "audio"
    ]
    return max(ranked, key=lambda entry: entry[:2])[2] if ranked else None


def _audio_rank(item: Format, container: MediaFormat) -> tuple[float, float, int]:
    """The original language first, then renditions the site plays by default, then the codec."""
    return (
        item.get("language_preference") or 0,
        item.get("source_preference") or 0,
        _fit(str(item.get("acodec") or ""), _AUDIO_FIT.get(container, ())),
    )


def _fit(codec: str, families: tuple[tuple[str, ...], ...]) -> int:
    codec = codec.lower()
    for place, prefixes in enumerate(families):
        if codec.startswith(prefixes):
            return len(families) - place
    return 0


def _select_video(pool: list[Format], audio: Format | None, options: Options) -> tuple[Choice, ...]:
    both = [item for item in pool if kind_of(item) == "both"]
    if audio is None and both:
        pool = both  # a silent video is worse than a lower one with sound
    if not pool:
        return ()
    best = _best_video(_at_height(pool, options.quality), options.format, audio)
    if kind_of(best) == "both":
        return (Choice("both", best),)
    video = Choice("video", best)
    return (video,) if audio is None else (video, Choice("audio", audio))


def _at_height(pool: list[Format], quality: Quality) -> list[Format]:
    known = {height for item in pool if (height := height_of(item)) is not None}
    if not known:
        return pool[:1] if quality is Quality.WORST else pool[-1:]
    limit = quality.max_height
    if quality is Quality.WORST:
        target = min(known)
    elif limit is None:
        target = max(known)
    else:
        target = max((height for height in known if height <= limit), default=min(known))
    return [item for item in pool if height_of(item) == target]


def _best_video(pool: list[Format], container: MediaFormat, audio: Format | None) -> Format:
    def rank(entry: tuple[int, Format]) -> tuple[float, ...]:
        place, item = entry
        return (
            _language_gap(item, audio),
            _fit(str(item.get("vcodec") or ""), _VIDEO_FIT.get(container, ())),
            kind_of(item) == "both",
            place,
        )

    return max(enumerate(pool), key=rank)[1]


def _language_gap(item: Format, audio: Format | None) -> float:
    """Below zero for a file whose sound is less wanted than the separate track (a dubbed one)."""
    if kind_of(item) != "both" or audio is None:
        return 0
    return min(0, (item.get("language_preference") or 0) - (audio.get("language_preference") or 0))


def known_too_large(choices: Sequence[Choice], max_bytes: int) -> bool:
    """True when the sizes the site states, or clearly the estimated ones, exceed the limit in bytes."""
    exact = sum(int(choice.format.get("filesize") or 0) for choice in choices)
    return exact > max_bytes or sum(choice.size or 0 for choice in choices) > max_bytes * _APPROXIMATE


def offers(formats: Sequence[Format]) -> tuple[Offer, ...]:
    """The heights a site really has, highest first, with the size of an mp4 at that height if known."""
    candidates, options = usable(formats), Options(quality=Quality.BEST)
    audio = _best_audio(candidates, options.format)
    levels: dict[int, list[Format]] = {}
    for item in candidates:
        if kind_of(item) != "audio" and (height := height_of(item)) is not None:
            levels.setdefault(height, []).append(item)
    return tuple(
        _offer(height, _select_video(levels[height], audio, options))
        for height in sorted(levels, reverse=True)
    )


def _offer(height: int, choices: Sequence[Choice]) -> Offer:
    sizes = [choice.size for choice in choices]
    return Offer(height=height, size=None if None in sizes else sum(size or 0 for size in sizes))


def has_audio(formats: Sequence[Format]) -> bool:
    """True when some usable format has sound."""
    return any(item.get("acodec") != "none" for item in usable(formats))
