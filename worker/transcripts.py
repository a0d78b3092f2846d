"""The captions of a job: the site's tracks become transcripts, and a sentence says what is missing."""

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.errors import JobError
from shared.languages import ALL, ORIGINAL, language_name
from shared.options import CaptionFormat, Options
from worker.artifacts import Draft, caption_draft
from worker.captions.apart import convert_apart
from worker.child.protocol import CaptionFile, Media

log = logging.getLogger(__name__)

MOST_NAMED = 3  # languages that one sentence names
WITHHELD = "The site did not hand out its captions just now."


@dataclass(frozen=True)
class Patience:
    """How many seconds tracks may take: each of them, and all of them."""

    each: float
    together: float


def wanted_languages(options: Options) -> tuple[str, ...]:
    """The languages to ask the site for; it may have a translation of its own to the one wanted."""
    more = (options.translate_to,) if options.translate_to else ()
    return tuple(dict.fromkeys((*options.languages, *more)))


async def convert_tracks(
    tracks: Sequence[CaptionFile], found: Media, options: Options, folder: Path, patience: Patience
) -> tuple[list[Draft], list[CaptionFile]]:
    """Every track in every format asked for, and the tracks that could not be converted in time or at all."""
    drafts: list[Draft] = []
    unreadable: list[CaptionFile] = []
    ends = time.monotonic() + patience.together
    for number, track in enumerate(tracks):
        targets = {form: folder / f"transcript.{number}.{form}" for form in options.caption_formats}
        left = (ends - time.monotonic()) / 2  # one that takes all it can get leaves as much to the others
        try:
            await _convert(track, targets, found, options, min(patience.each, left))
        except (JobError, OSError) as error:
            log.warning("captions in %s could not be converted: %s", track.language, error)
            unreadable.append(track)
        else:
            drafts += [caption_draft(path, form, track, found.title) for form, path in targets.items()]
    return drafts, unreadable


async def _convert(
    track: CaptionFile, targets: dict[CaptionFormat, Path], found: Media, options: Options, patience: float
) -> None:
    await convert_apart(
        Path(track.path),
        track.format,
        {form.value: path for form, path in targets.items()},
        automatic=track.source != "manual",
        chapters=found.chapters,
        clip=options.clip,
        patience=patience,
    )


def missing_note(
    options: Options, tracks: Sequence[CaptionFile] | None, unreadable: Sequence[CaptionFile]
) -> str | None:
    """What the person has to be told; None when everything is there. No tracks at all is None, a failure."""
    if tracks is None:
        return WITHHELD
    had = {_primary(track.language) for track in tracks}
    told: list[str] = []
    missing = [language for language in options.languages if not _is_in(language, had)]
    if missing and set(missing) <= {ALL, ORIGINAL}:
        told.append("There were no captions.")
    elif missing:
        told.append(f"There were no captions in {_listed(missing, 'or')}.")
    target = options.translate_to
    if target and not _is_in(target, had):
        told.append(f"I cannot translate yet, and the site has no captions in {_listed([target], 'or')}.")
    if unreadable:
        languages = list(dict.fromkeys(track.language for track in unreadable))
        told.append(f"The captions in {_listed(languages, 'and')} could not be read.")
    return " ".join(told) or None


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
