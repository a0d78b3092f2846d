"""The captions of a job in another language: which track is translated, and what is said when none can be."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from shared.errors import JobError
from shared.languages import UNKNOWN, language_name
from worker.child.protocol import CaptionFile, CaptionSource
from worker.translate.languages import our_code
from worker.translate.port import LanguagePairUnknown, TranslationError
from worker.translate.translation import Translation

log = logging.getLogger(__name__)

Convert = Callable[[CaptionFile, Mapping[str, Path], Path | None], Awaitable[None]]

_LAST = (CaptionSource.AUTOMATIC, CaptionSource.TRANSLATED)  # in this order, after everything people made


@dataclass(frozen=True)
class Order:
    """What is to be translated: into which language, to which files by format, from what is `spoken`.

    `sentences` and `translations` are files for what goes in and out of the translator.
    """

    target: str
    files: Mapping[str, Path]
    spoken: str | None
    sentences: Path
    translations: Path


class Outcome(NamedTuple):
    """The language of the files that were written, None without any; and what the person has to be told.

    `is_whole` is False when asking again may bring more.
    """

    language: str | None
    note: str | None = None
    is_whole: bool = True


async def translate_tracks(
    tracks: Sequence[CaptionFile],
    order: Order,
    translation: Translation | None,
    convert: Convert,
    progress: Callable[[float], None],
    seconds: float,
) -> Outcome:
    """Translate the best of the tracks, in so many seconds. Whatever goes wrong is told and not raised."""
    name = language_name(order.target)
    if translation is None:
        return Outcome(None, f"There is no translator here, and the site gave no captions in {name}.")
    candidates = sources(tracks, order.spoken)
    if not candidates:
        return Outcome(None, f"I do not know from which language to translate to {name}.")
    try:
        async with asyncio.timeout(seconds):
            place, pair = await translation.pair([language for language, _ in candidates], order.target)
            await _translate(candidates[place][1], order, pair, translation, convert, progress)
    except LanguagePairUnknown as error:
        return Outcome(None, str(error))
    except (TranslationError, JobError, OSError, TimeoutError) as error:
        log.warning("no translation to %s: %r", order.target, error)
        return Outcome(None, f"The translation to {name} did not work; here is the original.", is_whole=False)
    return Outcome(our_code(pair[1]) or order.target)


def sources(tracks: Sequence[CaptionFile], spoken: str | None) -> list[tuple[str, CaptionFile]]:
    """The tracks with their languages, best first: made by people, and in the language that is spoken."""

    def rank(candidate: tuple[str, CaptionFile]) -> tuple[int, bool]:
        language, track = candidate
        place = _LAST.index(track.source) + 1 if track.source in _LAST else 0
        return place, _primary(language) != _primary(spoken or "")

    known = ((spoken or UNKNOWN if t.language == UNKNOWN else t.language, t) for t in tracks)
    return sorted(((language, t) for language, t in known if language != UNKNOWN), key=rank)


def _primary(language: str) -> str:
    return language.lower().partition("-")[0]


async def _translate(
    track: CaptionFile,
    order: Order,
    pair: tuple[str, str],
    translation: Translation,
    convert: Convert,
    progress: Callable[[float], None],
) -> None:
    """Read the sentences, translate them, and write the track again with what came back."""
    await convert(track, {"sentences": order.sentences}, None)
    sentences = json.loads(await asyncio.to_thread(order.sentences.read_text, "utf-8"))
    try:
        translations = await translation.translate(sentences, pair, progress)
    except LanguagePairUnknown as error:  # although it is among its languages: nothing to tell people
        raise TranslationError(str(error)) from error
    text = json.dumps(translations, ensure_ascii=False)
    await asyncio.to_thread(order.translations.write_text, text, "utf-8")
    await convert(track, order.files, order.translations)
