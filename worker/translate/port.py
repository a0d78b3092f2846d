"""What a translator is, and how it says no."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from shared.errors import LinkferryError

Pairs = Mapping[str, Collection[str]]  # from a language to languages, in a translator's own codes


class TranslationError(LinkferryError):
    """There is no translation."""


class TranslatorUnavailable(TranslationError):
    """The translator is down, refuses, is not installed, or answers with something else. For the log."""


class LanguagePairUnknown(TranslationError):
    """The translator does not know this language, or not into that one."""


class Translator(Protocol):
    """Somebody who translates. Codes of languages are those that `languages` gives."""

    @property
    def name(self) -> str:
        """What it is called in the log and in the cache."""

    async def languages(self) -> Pairs:
        """From which languages it translates to which. Raises TranslatorUnavailable."""

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        """Each sentence's translation, in their order. No sentence is empty or has a line break.

        It keeps the limits of its service by itself, takes bounded time, and leaves nothing behind when it is
        cancelled. Raises TranslatorUnavailable or LanguagePairUnknown.
        """
