"""The words beside a transcript that is shared with a channel. Pure."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from shared.chat.files import MADE
from shared.chat.slack.blocks import MAX_FALLBACK, MAX_HEADER, Message, markup, plain, section
from shared.chat.slack.text import cut, escape, fitting, foreign, link, one_line
from shared.languages import language_name
from shared.moment import at_moment
from shared.results import Chapter
from shared.words import time_words

MAX_CHAPTERS = 2900  # characters of the list of chapters
MAX_LINES = 700  # characters of the first lines
MAX_TRACKS = 300  # characters of the languages

_NOT_SPEECH = re.compile(r"WEBVTT.*|(?:NOTE|STYLE|REGION)\b.*|\d+|.*-->.*")
_TAG = re.compile(r"<[^<>]{0,200}>")


@dataclass(frozen=True)
class Track:
    """A transcript: its language code, and who made it."""

    language: str | None
    source: str | None

    @property
    def words(self) -> str:
        """`German, made automatically`."""
        language = language_name(self.language) if self.language else ""
        return ", ".join(filter(None, (language, MADE.get(self.source, self.source) if self.source else "")))


def summary(
    title: str,
    seconds: float | None,
    tracks: Sequence[Track],
    chapters: Sequence[Chapter] = (),
    watch: str | None = None,
    lines: str = "",
) -> Message:
    """Title, length, languages and who made them, chapters that open at their moment, the first lines.

    `seconds`: the length; `watch`: where the video plays; `lines`: how the transcript begins.
    """
    shown = foreign(title, MAX_HEADER) or "Transcript"
    told = [time_words(seconds)] if seconds else []
    told += [foreign(track.words, MAX_TRACKS) for track in tracks if track.words]
    facts = fitting(told, MAX_TRACKS).replace("\n", " · ")
    found = [section(markup("\n".join(filter(None, (f"*{_unstarred(shown)}*", facts)))))]
    if chapters:
        found.append(section(markup(fitting((_chapter(each, watch) for each in chapters), MAX_CHAPTERS))))
    if beginning := one_line(lines):
        found.append(section(plain(f"“{beginning}", MAX_LINES)))
    return Message(cut(one_line(f"Transcript: {title}"), MAX_FALLBACK), tuple(found))


def first_words(text: str) -> str:
    """What is said at the beginning of a transcript file: no numbers, times or tags of captions."""
    said = [line for line in map(str.strip, text.splitlines()) if line and not _NOT_SPEECH.fullmatch(line)]
    return one_line(unescape(_TAG.sub("", " ".join(said))))


def _chapter(chapter: Chapter, watch: str | None) -> str:
    moment = time_words(chapter.start)
    opened = link(at_moment(watch, chapter.start), moment) if watch else escape(moment)
    return f"{opened} {foreign(chapter.title, MAX_HEADER)}".rstrip()


def _unstarred(text: str) -> str:
    """Nothing in it ends bold letters early."""
    return text.replace("*", "∗")
