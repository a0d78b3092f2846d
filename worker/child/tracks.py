"""Which caption tracks to fetch for the languages a person wants. Pure.

yt-dlp gives `subtitles` (made by people) and `automatic_captions`: language -> list of one track in several
formats. On YouTube the automatic ones also hold about a hundred machine translations, told by `tlang=`.
A language is whatever the site calls it; `clean_language` makes it fit for a reply and a file name.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any
from urllib.parse import parse_qs, urlsplit

from shared.languages import ALL, ORIGINAL, UNKNOWN, normalize_language
from worker.child.protocol import CaptionSource

Track = dict[str, Any]
Offered = Mapping[str, Sequence[Track]]

_NOT_CAPTIONS = frozenset({"live_chat", "rechat", "danmaku", "comments"})
_MANUAL_ORDER = ("vtt", "srt", "ttml", "json3")
_AUTOMATIC_ORDER = ("json3", "vtt", "srt", "ttml")  # YouTube's automatic vtt rolls; json3 is the clean source
_MAX_TRACKS = 100
_MAX_OFFERED = 5000  # YouTube translates every manual track into a hundred languages
_MAX_FORMATS = 20
_MAX_LANGUAGE = 35  # characters, as long as language codes ever need to be
_LONGEST_NAME = 100  # characters of a site's name for a language that are looked at
_NOT_A_CODE = re.compile("[^A-Za-z0-9]+")


@dataclass(frozen=True)
class Pick:
    """One track to fetch: its formats, best first."""

    language: str
    source: CaptionSource
    formats: tuple[Track, ...]


def clean_language(name: object) -> str:
    """A site's name for a language as a code, or as much of it as fits `[A-Za-z0-9-]{1,35}`.

    `iw` and `Hebrew` are `he`, as they are where people write what they want; `English (SDH)` becomes
    `English-SDH`. What leaves nothing is `und`.
    """
    text = str(name)[:_LONGEST_NAME]
    if (code := normalize_language(text)) is not None:
        return UNKNOWN if code in (ALL, ORIGINAL) else code  # a site must not speak our own words
    return _NOT_A_CODE.sub("-", text).strip("-")[:_MAX_LANGUAGE].strip("-") or UNKNOWN


def manual_languages(subtitles: Offered) -> Iterator[str]:
    """Languages with captions made by people; each once."""
    return iter(dict.fromkeys(pick.language for pick in _manual(subtitles)))


def automatic_languages(automatic: Offered) -> Iterator[str]:
    """Languages of automatic captions that were heard, not translated; each once."""
    return iter(dict.fromkeys(pick.language for pick in _automatic(automatic, {})[0]))


def choose(
    subtitles: Offered, automatic: Offered, languages: Iterable[str], original: str | None
) -> tuple[Pick, ...]:
    """One track a wanted language, manual before automatic before translated; each track once.

    `all` means every manual one (or the original automatic one when there is none), `orig` the language
    that is spoken, or the site's first one where nobody says which that is.
    """
    manual = _manual(subtitles)
    heard, translated = _automatic(automatic, subtitles)
    spoken = original or (heard[0].language if heard else None)
    chosen: list[Pick] = []
    for wanted in languages:
        language = spoken if wanted == ORIGINAL else wanted
        if wanted == ALL:
            chosen += manual or heard[:1]
        elif language is None:
            chosen += manual[:1]
        else:
            chosen += _best_match(language, (manual, heard, translated))
    return tuple({(pick.language, pick.source): pick for pick in chosen}.values())[:_MAX_TRACKS]


def _best_match(wanted: str, tiers: tuple[list[Pick], ...]) -> list[Pick]:
    """The same language, else a neighbour such as `pt-BR` for `pt`, in the first tier that has one."""
    same, primary = clean_language(wanted).lower(), _primary(clean_language(wanted))
    for tier in tiers:
        exact = (pick for pick in tier if pick.language.lower() == same)
        near = (pick for pick in tier if _primary(pick.language) == primary)
        if match := next(exact, None) or next(near, None):
            return [match]
    return []


@lru_cache(maxsize=4096)
def _primary(language: str) -> str:
    return clean_language(language.partition("-")[0]).lower()


def _manual(subtitles: Offered) -> list[Pick]:
    picks = [
        Pick(clean_language(language), CaptionSource.MANUAL, _ordered(found, _MANUAL_ORDER))
        for language, found in islice(subtitles.items(), _MAX_OFFERED)
        if language not in _NOT_CAPTIONS
    ]
    return [pick for pick in picks if pick.formats]


def _automatic(automatic: Offered, subtitles: Offered) -> tuple[list[Pick], list[Pick]]:
    """Split into heard and translated ones; `en-orig` and `en` are the same track."""
    heard: dict[str, Pick] = {}
    translated: dict[str, Pick] = {}
    for key, found in islice(automatic.items(), _MAX_OFFERED):
        formats = _ordered(found, _AUTOMATIC_ORDER)
        if not formats or key in _NOT_CAPTIONS:
            continue
        if any(_is_translation(item) for item in formats):
            language = clean_language(_translation_target(key, subtitles))
            translated.setdefault(language, Pick(language, CaptionSource.TRANSLATED, formats))
        else:
            language = clean_language(key.removesuffix("-orig"))
            heard.setdefault(language, Pick(language, CaptionSource.AUTOMATIC, formats))
    return list(heard.values()), list(translated.values())


def _is_translation(track: Track) -> bool:
    return "tlang" in parse_qs(urlsplit(str(track.get("url") or "")).query)


def _translation_target(key: str, subtitles: Offered) -> str:
    """`de-en` is German made from the manual English track; `pt-BR` is just Brazilian."""
    target, dash, rest = key.partition("-") if len(key) <= _LONGEST_NAME else (key, "", "")
    while dash:
        if rest in subtitles:
            return target
        more, dash, rest = rest.partition("-")
        target = f"{target}-{more}"
    return key


def _ordered(found: Sequence[Track], order: tuple[str, ...]) -> tuple[Track, ...]:
    fetchable = [track for track in islice(found or (), _MAX_FORMATS) if _is_fetchable(track)]
    rank = {extension: place for place, extension in enumerate(order)}
    return tuple(sorted(fetchable, key=lambda track: rank.get(str(track.get("ext")), len(order))))


def _is_fetchable(track: Track) -> bool:
    if track.get("data") is not None:
        return isinstance(track["data"], str)
    if str(track.get("protocol") or "http") not in ("http", "https", "m3u8_native", "m3u8"):
        return False
    return urlsplit(str(track.get("url") or "")).scheme in ("http", "https")
