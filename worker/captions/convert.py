"""The one entry point: a caption file of a site becomes the transcripts a person asked for."""

import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from shared.errors import Code, JobError
from worker.captions.cues import Chapter, Cue, Part, Span, Transcript, Word
from worker.captions.markup import tidy_words
from worker.captions.passages import write_passages
from worker.captions.prose import write_markdown, write_txt
from worker.captions.readers import read
from worker.captions.retime import retimed
from worker.captions.rolling import repair
from worker.captions.sentences import write_sentences
from worker.captions.writers import one_line, write_json, write_srt, write_vtt

logger = logging.getLogger(__name__)

WRITERS: dict[str, Callable[[Transcript], str]] = {
    "srt": write_srt,
    "vtt": write_vtt,
    "txt": write_txt,
    "txt with times": partial(write_txt, timestamps=True),
    "md": write_markdown,
    "json": write_json,
    "sentences": write_sentences,
    "passages": write_passages,
}
SLIVER = 100  # ms; less of a cue than this inside a clip is a flash nobody can read


def convert(
    data: bytes,
    format: str,
    *,
    automatic: bool,
    formats: Sequence[str],
    chapters: Sequence[Chapter] = (),
    clip: Span | None = None,
    translations: Mapping[str, str] | None = None,
    language: str | None = None,
    watch_url: str | None = None,
) -> dict[str, str]:
    """Read a caption file once and write it in each of the formats.

    `format` is the site's name for what `data` is; `automatic` says whether a machine made it. With
    `clip` the cues and chapters are cut to it and count from its start; a clip without speech gives
    empty transcripts. The format `sentences` lists what there is to translate; with `translations` of these
    the transcripts are in another language. `passages` is what is searched in later. `language` of the
    transcripts and `watch_url` are written where a format has a place for them.

    Raises JobError(NO_CAPTIONS) only when not one cue could be read.
    """
    with _without_collector():
        transcript = _read(data, format, automatic, chapters, clip)
        if translations is not None:
            transcript = _translated(transcript, translations)
        transcript = replace(transcript, language=language, watch_url=watch_url)
        return {wanted: WRITERS[wanted](transcript) for wanted in formats}


@contextmanager
def _without_collector() -> Iterator[None]:
    """Without the cycle collector: it walks hundreds of thousands of tuples that hold no cycle.

    It costs a fifth of the time. Conversions in two threads may turn it on early, which only costs time.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _read(
    data: bytes, format: str, automatic: bool, chapters: Sequence[Chapter], clip: Span | None
) -> Transcript:
    cues, skipped = read(data, format)
    if not cues:
        raise JobError(Code.NO_CAPTIONS, f"no cue in {len(data)} bytes of {format}, {skipped} parts broken")
    if skipped:
        logger.warning("captions: %d parts of a %s file could not be read", skipped, format)
    repaired = repair(cues, automatic=automatic)
    if clip:
        repaired = cut(repaired, clip)
        chapters = cut_chapters(chapters, clip)
    return Transcript(repaired, chapters)


def _translated(transcript: Transcript, translations: Mapping[str, str]) -> Transcript:
    chapters = [
        Part(chapter.start, chapter.end, translations.get(one_line(chapter.title), chapter.title))
        for chapter in transcript.chapters
    ]
    return Transcript(retimed(transcript.cues, translations), chapters)


def cut(cues: Iterable[Cue], clip: Span) -> list[Cue]:
    """The cues inside the clip, counted from its start; of a cue with word times, the words inside."""
    first, last = round(clip.start * 1000), round(clip.end * 1000)
    result = []
    for cue in cues:
        start, end = max(cue.start, first), min(cue.end, last)
        if end - start < min(SLIVER, max(1, (cue.end - cue.start) // 2)):
            continue
        text, words = cue.text, cue.words
        if words:
            words = _words_inside(cue, first, last)
            text = "".join([word.text for word in words])
        if text:
            result.append(Cue(start - first, end - first, text, cue.speaker, words))
    return result


def _words_inside(cue: Cue, first: int, last: int) -> tuple[Word, ...]:
    ends = [*(word.start for word in cue.words[1:]), cue.end]
    inside = (
        Word(max(word.start, first) - first, word.text)
        for word, end in zip(cue.words, ends, strict=True)
        if word.start < last and end > first
    )
    return tidy_words(inside)


def cut_chapters(chapters: Iterable[Chapter], clip: Span) -> list[Part]:
    """The chapters inside the clip, counted from its start."""
    return [
        Part(max(chapter.start - clip.start, 0.0), min(chapter.end, clip.end) - clip.start, chapter.title)
        for chapter in chapters
        if chapter.start < clip.end and chapter.end > clip.start
    ]
