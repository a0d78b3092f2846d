"""Which extractor takes a URL, found without touching each of the 1750.

Python counts references inside the objects: to ask every extractor is to write to the page of every pattern,
and after a fork each first write copies a page. That was a third of what a child costs. So neighbours'
patterns are joined into one that only says whether any of them could match; then those few are asked. What
the warm process found for a link its child knows.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import groupby
from typing import Any

_KNOWN = 256  # answers kept
_JOINED = 16  # patterns in one; those of a joined one that matches are compiled one by one
_ASKED_AS_ALL = ("LazyLoadExtractor.suitable", "InfoExtractor.suitable")  # the rule is the pattern alone
_NAME = re.compile(r"\(\?P<\w+>")
_FLAGS = re.compile(r"\s*\(\?([aimsux]+)\)")
_BACK = re.compile(r"\(\?P=|\(\?\(|\\[1-9]")  # speaks of another group by its name or number

Sieve = list[tuple[re.Pattern[str] | None, tuple[str, ...]]]


class Extractors(dict[str, Any]):
    """yt-dlp's extractors by key, in their order."""

    def __init__(self, loaded: Mapping[str, Any]) -> None:
        super().__init__(loaded)
        self._sieve = _sieve(loaded)
        self.first = lru_cache(_KNOWN)(self._first)
        """The key of the first one that takes a URL, as asking one after the other would find."""

    def _first(self, url: str) -> str | None:
        for pattern, keys in self._sieve:
            if pattern is None or pattern.match(url):
                for key in keys:
                    if self[key].suitable(url):
                        return key
        return None


def _sieve(loaded: Mapping[str, Any]) -> Sieve:
    """Joined patterns with the keys behind each; None for those that have to be asked."""
    sieve: Sieve = []
    for is_plain, run in groupby(loaded.items(), lambda item: _plain_patterns(item[1]) is not None):
        members = list(run)
        step = _JOINED if is_plain else 1
        for start in range(0, len(members), step):
            few = members[start : start + step]
            keys = tuple(key for key, _ in few)
            sieve.append((_join(extractor for _, extractor in few) if is_plain else None, keys))
    return sieve


def _plain_patterns(extractor: Any) -> list[str] | None:
    """Its patterns when they alone decide and may stand beside others; else None."""
    if getattr(extractor.suitable, "__qualname__", "") not in _ASKED_AS_ALL:
        return None
    wanted = extractor._VALID_URL
    patterns = [wanted] if isinstance(wanted, str) else list(wanted or ())
    return None if any(_BACK.search(pattern) for pattern in patterns) else patterns


def _join(extractors: Iterator[Any]) -> re.Pattern[str] | None:
    parts = [_unnamed(pattern) for extractor in extractors for pattern in _plain_patterns(extractor) or ()]
    try:
        return re.compile("|".join(parts) or r"(?!)")
    except re.error:  # then each of them is asked
        return None


def _unnamed(pattern: str) -> str:
    """The same pattern as a part of another: no names, which would clash, and its flags for itself alone."""
    flags = _FLAGS.match(pattern)
    body = _NAME.sub("(?:", pattern[flags.end() :] if flags else pattern)
    return (
        f"(?{flags[1]}:{body}\n)" if flags and "x" in flags[1] else f"(?{flags[1] if flags else ''}:{body})"
    )
