"""Which caption tracks to fetch for the languages a person wants. Pure.

yt-dlp gives `subtitles` (made by people) and `automatic_captions`: language -> list of one track in several
formats. On YouTube the automatic ones also hold about a hundred machine translations, told by `tlang=`.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

from worker.child.protocol import CaptionSource

Track = dict[str, Any]
Offered = Mapping[str, Sequence[Track]]

_NOT_CAPTIONS = frozenset({"live_chat", "rechat", "danmaku", "comments"})
_MANUAL_ORDER = ("vtt", "srt", "ttml", "json3")
_AUTOMATIC_ORDER = ("json3", "vtt", "srt", "ttml")  # YouTube's automatic vtt rolls; json3 is the clean source
_MAX_TRACKS = 100


@dataclass(frozen=True)
class Pick:
    """One track to fetch: its formats, best first."""

    language: str
    source: CaptionSource
    formats: tuple[Track, ...]


def manual_languages(subtitles: Offered) -> Iterator[str]:
    """Languages with captions made by people."""
    return (pick.language for pick in _manual(subtitles))


def automatic_languages(automatic: Offered) -> Iterator[str]:
    """Languages of automatic captions that were heard, not translated; each once."""
    return iter(dict.fromkeys(pick.language for pick in _automatic(automatic, {})[0]))


def choose(
    subtitles: Offered, automatic: Offered, languages: Iterable[str], original: str | None
) -> tuple[Pick, ...]:
    """One track a wanted language, manual before automatic before translated; each track once.

    `all` means every manual one (or the original automatic one when there is none), `orig` the language
    that is spoken.
    """
    manual = _manual(subtitles)
    heard, translated = _automatic(automatic, subtitles)
    spoken = original or (heard[0].language if heard else None)
    chosen: list[Pick] = []
    for wanted in languages:
        if wanted == "all":
            chosen += manual or heard[:1]
        elif (language := spoken if wanted == "orig" else wanted) is not None:
            chosen += _best_match(language, (manual, heard, translated))
    return tuple({(pick.language, pick.source): pick for pick in chosen}.values())[:_MAX_TRACKS]


def _best_match(wanted: str, tiers: tuple[list[Pick], ...]) -> list[Pick]:
    for tier in tiers:
        for same in (_same_language, _same_primary):
            if match := next((pick for pick in tier if same(pick.language, wanted)), None):
                return [match]
    return []


def _same_language(first: str, second: str) -> bool:
    return first.lower().replace("_", "-") == second.lower().replace("_", "-")


def _same_primary(first: str, second: str) -> bool:
    return _primary(first) == _primary(second)


def _primary(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


def _manual(subtitles: Offered) -> list[Pick]:
    picks = [
        Pick(language, CaptionSource.MANUAL, _ordered(found, _MANUAL_ORDER))
        for language, found in subtitles.items()
        if language not in _NOT_CAPTIONS
    ]
    return [pick for pick in picks if pick.formats]


def _automatic(automatic: Offered, subtitles: Offered) -> tuple[list[Pick], list[Pick]]:
    """Split into heard and translated ones; `en-orig` and `en` are the same track."""
    heard: dict[str, Pick] = {}
    translated: dict[str, Pick] = {}
    for key, found in automatic.items():
        formats = _ordered(found, _AUTOMATIC_ORDER)
        if not formats or key in _NOT_CAPTIONS:
            continue
        if any(_is_translation(item) for item in formats):
            language = _translation_target(key, subtitles)
            translated.setdefault(language, Pick(language, CaptionSource.TRANSLATED, formats))
        else:
            language = key.removesuffix("-orig")
            heard.setdefault(language, Pick(language, CaptionSource.AUTOMATIC, formats))
    return list(heard.values()), list(translated.values())


def _is_translation(track: Track) -> bool:
    return "tlang" in parse_qs(urlsplit(str(track.get("url") or "")).query)


def _translation_target(key: str, subtitles: Offered) -> str:
    """`de-en` is German made from the manual English track; `pt-BR` is just Brazilian."""
    for source in subtitles:
        if key != source and key.endswith(f"-{source}"):
            return key.removesuffix(f"-{source}")
    return key


def _ordered(found: Sequence[Track], order: tuple[str, ...]) -> tuple[Track, ...]:
    fetchable = [track for track in found if _is_fetchable(track)]
    rank = {extension: place for place, extension in enumerate(order)}
    return tuple(sorted(fetchable, key=lambda track: rank.get(str(track.get("ext")), len(order))))


def _is_fetchable(track: Track) -> bool:
    if track.get("data") is not None:
        return isinstance(track["data"], str)
    if str(track.get("protocol") or "http") not in ("http", "https", "m3u8_native", "m3u8"):
        return False
    return urlsplit(str(track.get("url") or "")).scheme in ("http", "https")
