"""The translation of a whole transcript: each sentence once, in bounded batches, cached."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from worker.translate.cache import Cache, key_of
from worker.translate.languages import matching
from worker.translate.port import (
    LanguagePairUnknown,
    TranslationError,
    Translator,
    TranslatorUnavailable,
)

BATCH_SENTENCES = 50
BATCH_CHARACTERS = 4000
MOST_CHARACTERS = 2_000_000  # of one transcript; three times what ten hours of speech have


class Translation:
    """What a worker has for translating: a translator and what it has said before."""

    def __init__(self, translator: Translator, cache: Cache) -> None:
        self._translator = translator
        self._cache = cache

    async def pair(self, sources: Sequence[str], target: str) -> tuple[int, tuple[str, str]]:
        """The first of some languages that can be translated, by its place, and the translator's two codes.

        Raises TranslatorUnavailable, or LanguagePairUnknown with a sentence for people.
        """
        pairs = await self._translator.languages()
        for place, source in enumerate(sources):
            with suppress(LanguagePairUnknown):
                return place, matching(pairs, source, target)
        return 0, matching(pairs, sources[0], target)

    async def translate(
        self, sentences: Sequence[str], pair: tuple[str, str], progress: Callable[[float], None]
    ) -> dict[str, str]:
        """Sentence to translation. `progress` is told how much is done, from 0 to 1.

        What was translated before an error or a cancel is kept, so that the next try goes on there. Raises
        TranslationError.
        """
        texts = list(dict.fromkeys(sentences))
        total = sum(map(len, texts))
        if total > MOST_CHARACTERS:
            raise TranslationError(f"{total} characters are more than anybody should pay for")
        result: dict[str, str] = {}
        done = 0
        for batch in batches(texts):
            result |= zip(batch, await self._batch(batch, *pair), strict=True)
            done += sum(map(len, batch))
            progress(done / total)
        return result

    async def _batch(self, batch: Sequence[str], source: str, target: str) -> list[str]:
        key = key_of(self._translator.name, source, target, batch)
        kept = await asyncio.to_thread(self._cache.read, key, len(batch))
        if kept is not None:
            return kept
        translated = await self._translator.translate(batch, source, target)
        if len(translated) != len(batch):
            raise TranslatorUnavailable(f"{len(translated)} translations of {len(batch)} sentences")
        await asyncio.to_thread(self._cache.write, key, translated)
        return translated


def batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts in order, in lists that keep both bounds; a longer text has a list of its own."""
    batch: list[str] = []
    size = 0
    for text in texts:
        if batch and (len(batch) >= BATCH_SENTENCES or size + len(text) > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(text)
        size += len(text)
    if batch:
        yield batch
