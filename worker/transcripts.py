"""The captions of a job: tracks become transcripts, one is translated, and a note says what is missing."""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

from shared.errors import FAILURES, Code, JobError
from shared.languages import ALL, ORIGINAL, language_name
from shared.models import Artifact, Stage
from shared.options import CaptionFormat, Options
from shared.search.finding import rows, word_index
from worker.artifacts import Draft, caption_draft
from worker.captions.apart import convert_apart
from worker.captions.passages import read_passages
from worker.child.protocol import CaptionFile, CaptionSource, Media
from worker.progress import Reporter
from worker.translate.tracks import Order, Outcome, translate_tracks
from worker.translate.translation import Translation

log = logging.getLogger(__name__)

TRANSLATION_SHARE = 0.9  # of the time that is left; the rest is for storing what there is
MOST_NAMED = 3  # languages that one sentence names
PASSAGES = "passages"  # the file of each transcript that is not stored, but searched in
WITHHELD = "The site did not hand out its captions just now."
HIDDEN = "The site has captions, but hides them from programs like me."
NONE = "This video has no captions."
ELSEWHERE = "Look for another copy of it."


@dataclass(frozen=True)
class Patience:
    """How many seconds tracks may take: each of them, and all of them."""

    each: float
    together: float


@dataclass(frozen=True)
class Means:
    """With what transcripts are made: a folder, a translator when there is one, and time.

    `watch_url` is the page that will show them.
    """

    folder: Path
    patience: Patience
    translation: Translation | None
    reporter: Reporter
    watch_url: str | None = None


@dataclass(frozen=True)
class Transcripts:
    """What came of the tracks. `note` is for the person; not `is_whole` says that asking again may help."""

    drafts: list[Draft]
    note: str | None
    is_whole: bool


def wanted_languages(options: Options) -> tuple[str, ...]:
    """The languages to ask the site for; it may have a translation of its own to the one wanted."""
    more = (options.translate_to,) if options.translate_to else ()
    return tuple(dict.fromkeys((*options.languages, *more)))


async def make_transcripts(
    tracks: Sequence[CaptionFile] | None, found: Media, options: Options, means: Means
) -> Transcripts:
    """Convert the tracks, and translate one of them when the site has no translation of its own.

    No tracks at all is None, a failure.
    """
    ends = time.monotonic() + means.patience.together
    drafts, unreadable = await convert_tracks(tracks or (), found, options, means)
    readable = [track for track in tracks or () if track not in unreadable]
    outcome = Outcome(None)
    if _is_to_translate(options, readable):
        seconds = (ends - time.monotonic()) * TRANSLATION_SHARE
        translated, outcome = await _translate(readable, found, options, means, seconds)
        drafts += translated
    note = missing_note(options, tracks, unreadable, outcome.note, is_hidden=found.hides_captions)
    is_hidden = found.hides_captions and bool(_missing(options, tracks or ()))
    return Transcripts(drafts, note, tracks is not None and outcome.is_whole and not is_hidden)


def no_captions(options: Options, unheard: str | None, found: Media) -> JobError:
    """No transcript came of a job that was about nothing else; `unheard` says why speech gave none either."""
    none, next_step = FAILURES[Code.NO_CAPTIONS].sentence, None
    if found.hides_captions:
        none, next_step = HIDDEN, ELSEWHERE
    elif not (found.captions or found.automatic_captions):
        none, next_step = NONE, ELSEWHERE
    sentence = unheard if options.speech else f"{none} {unheard or ''}".strip()
    detail = f"of {', '.join(options.languages)}"
    return JobError(Code.NO_CAPTIONS, detail, sentence=sentence, next_step=next_step)


async def passage_rows(
    drafts: Sequence[Draft], artifacts: Sequence[Artifact], is_sqlite: bool
) -> list[dict[str, Any]]:
    """What can be searched in of the transcripts among the files, as rows of the table."""
    index = word_index(is_sqlite)

    def read() -> list[dict[str, Any]]:
        return [
            row
            for draft, artifact in zip(drafts, artifacts, strict=True)
            if draft.passages
            for row in rows(index, artifact.id, read_passages(draft.passages.read_text(encoding="utf-8")))
        ]

    return await asyncio.to_thread(read)


async def convert_tracks(
    tracks: Sequence[CaptionFile], found: Media, options: Options, means: Means
) -> tuple[list[Draft], list[CaptionFile]]:
    """Every track in every format asked for, and the tracks that could not be converted in time or at all."""
    drafts: list[Draft] = []
    unreadable: list[CaptionFile] = []
    ends = time.monotonic() + means.patience.together
    for number, track in enumerate(tracks):
        targets = _targets(options, means.folder, str(number))
        left = (ends - time.monotonic()) / 2  # one that takes all it can get leaves as much to the others
        try:
            patience = min(means.patience.each, left)
            await _convert(track, targets, found, options, patience, _about(track.language, means))
        except (JobError, OSError) as error:
            log.warning("captions in %s could not be converted: %s", track.language, error)
            unreadable.append(track)
        else:
            drafts += _drafts(track, targets, options, found)
    return drafts, unreadable


def _is_to_translate(options: Options, tracks: Sequence[CaptionFile]) -> bool:
    had = {_primary(track.language) for track in tracks}
    return bool(tracks and options.translate_to and not _is_in(options.translate_to, had))


async def _translate(
    tracks: Sequence[CaptionFile], found: Media, options: Options, means: Means, seconds: float
) -> tuple[list[Draft], Outcome]:
    """The translation that was asked for, as files beside those of the original."""
    folder = means.folder
    targets = _targets(options, folder, "translated")
    order = Order(
        target=options.translate_to or "",
        files=targets,
        spoken=found.language,
        sentences=folder / "sentences.json",
        translations=folder / "translations.json",
    )

    async def convert(track: CaptionFile, files: Mapping[str, Path], translations: Path | None) -> None:
        about = _about(order.target, means)
        await _convert(track, files, found, options, means.patience.each, about, translations)

    await means.reporter.enter(Stage.TRANSLATE)
    outcome = await translate_tracks(
        tracks, order, means.translation, convert, means.reporter.converted, seconds
    )
    if outcome.language is None:
        return [], outcome
    made = CaptionFile(path="", language=outcome.language, source=CaptionSource.TRANSLATED, format="")
    return _drafts(made, targets, options, found), outcome


class About(NamedTuple):
    """What a transcript says of itself: its language, and the page that shows it."""

    language: str
    watch_url: str | None


def _about(language: str, means: Means) -> About:
    page = means.watch_url
    return About(language, f"{page}?language={quote(language, safe='')}" if page else None)


def _targets(options: Options, folder: Path, name: str) -> dict[str, Path]:
    forms = (*options.caption_formats, PASSAGES)
    return {str(form): folder / f"transcript.{name}.{form}" for form in forms}


def _drafts(track: CaptionFile, targets: Mapping[str, Path], options: Options, found: Media) -> list[Draft]:
    first, *more = [
        caption_draft(targets[form], form, track, found.title) for form in options.caption_formats
    ]
    return [replace(first, passages=targets[PASSAGES]), *more]


async def _convert(
    track: CaptionFile,
    targets: Mapping[str, Path],
    found: Media,
    options: Options,
    patience: float,
    about: About,
    translations: Path | None = None,
) -> None:
    await convert_apart(
        Path(track.path),
        track.format,
        {_written(form, options): file for form, file in targets.items()},
        automatic=track.source not in (CaptionSource.MANUAL, CaptionSource.SPEECH),
        chapters=found.chapters,
        clip=options.clip,
        translations=translations,
        language=about.language,
        watch_url=about.watch_url,
        patience=patience,
    )


def _written(form: str, options: Options) -> str:
    """How `worker.captions` calls a format, as it was asked for."""
    return "txt with times" if form == CaptionFormat.TXT and options.timestamps else form


def missing_note(
    options: Options,
    tracks: Sequence[CaptionFile] | None,
    unreadable: Sequence[CaptionFile],
    untranslated: str | None = None,
    *,
    is_hidden: bool = False,
) -> str | None:
    """What the person has to be told; None when everything is there. No tracks at all is None, a failure.

    `is_hidden`: the site has captions that it does not give to programs.
    """
    if tracks is None:
        return WITHHELD
    told: list[str] = []
    missing = _missing(options, tracks)
    if missing and is_hidden:
        told.append(HIDDEN)
    elif missing and set(missing) <= {ALL, ORIGINAL}:
        told.append("There were no captions.")
    elif missing:
        told.append(f"There were no captions in {_listed(missing, 'or')}.")
    if untranslated:
        told.append(untranslated)
    if unreadable:
        languages = list(dict.fromkeys(track.language for track in unreadable))
        told.append(f"The captions in {_listed(languages, 'and')} could not be read.")
    return " ".join(told) or None


def _missing(options: Options, tracks: Sequence[CaptionFile]) -> list[str]:
    """The languages that were asked for and that no track has."""
    had = {_primary(track.language) for track in tracks}
    return [language for language in options.languages if not _is_in(language, had)]


def _is_in(language: str, had: set[str]) -> bool:
    return bool(had) if language in (ALL, ORIGINAL) else _primary(language) in had


def _primary(language: str) -> str:
    return language.lower().replace("_", "-").partition("-")[0]


def _listed(languages: Sequence[str], last: str) -> str:
    """`German, French and Thai`; a number where they are many."""
    if len(languages) > MOST_NAMED:
        return f"{len(languages)} languages"
    *names, name = [language_name(language) for language in languages]
    return f"{', '.join(names)} {last} {name}" if names else name
