"""From a cue as it stands in a file to plain text: tags, entities, rows, word times, speakers."""

import html
import re
from collections.abc import Iterable
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from worker.captions.cues import Cue, Word
from worker.captions.decode import clean

LATEST = 1000 * 3_600_000  # ms; a later time is a broken one
_TAG = re.compile(r"(?i)</?(?:c|i|b|u|s|v|em|strong|font|span|lang|ruby|p|div)(?:[.\s][^<>]{0,500})?/?>")
_BREAK = re.compile(r"(?i)<br\s*/?>")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")
_VOICE = re.compile(r"<v(?:\.[^\s<>]{0,100})?[ \t]++([^<>\n]{1,200})>")
_STAMP = re.compile(r"<((?:[0-9]{1,4}:)?[0-9]{1,2}:[0-9]{1,2}(?:[.,][0-9]{1,3})?)>")


def milliseconds(hours: str | None, minutes: str, seconds: str, fraction: str | None) -> int:
    """A clock time in milliseconds; the fraction is decimal, so "5" is half a second."""
    whole = int(minutes) * 60 + int(seconds)
    if hours:
        whole += int(hours) * 3600
    return whole * 1000 + (int(fraction.ljust(3, "0")[:3]) if fraction else 0)


def clocks(stamps: Iterable[str]) -> list[int]:
    """Stamps as `clock` reads them. A long video has 200 000: the usual form hh:mm:ss.fff is read here."""
    return [
        _minute(stamp[:5]) + int(stamp[6:8] + stamp[9:])
        if len(stamp) == 12 and stamp[2] == ":"
        else clock(stamp)
        for stamp in stamps
    ]


def clock(stamp: str) -> int:
    """`[h:]mm:ss[.fff]`, already known to have that form, in milliseconds."""
    whole, _, fraction = stamp.replace(",", ".").partition(".")
    parts = whole.split(":")
    return milliseconds(parts[-3] if len(parts) > 2 else None, parts[-2], parts[-1], fraction)


@lru_cache(maxsize=64)
def _minute(hours_minutes: str) -> int:
    """`hh:mm` in milliseconds. Stamps that follow each other share it, so it is read once."""
    return (int(hours_minutes[:2]) * 60 + int(hours_minutes[3:])) * 60_000


def rows(text: str) -> str:
    """The text without empty rows and without white space around its rows."""
    text = text.strip()
    if "\n" not in text:
        return text
    return "\n".join(row for line in text.split("\n") if (row := line.strip()))


def unescape(text: str) -> str:
    """Entities as characters. Only whole ones with a semicolon: `AT&T` and `a&copy` are meant as they are."""
    if "&" not in text:
        return text
    text = _ENTITY.sub(lambda found: html.unescape(found[0]), text)
    return clean(text)


def strip_tags(text: str) -> str:
    """The text without the tags that captions use; anything else in angle brackets is what was said."""
    if "<" in text:
        text = _BREAK.sub("\n", text)
        text = text.replace("<rt>", "(").replace("</rt>", ")")
        text = _TAG.sub("", text)
    return text


def tidy_words(words: Iterable[Word]) -> tuple[Word, ...]:
    """The words such that joined they are what `rows` would make of the whole text."""
    tidy: list[Word] = []
    for start, text in words:
        text = _tidy_breaks(text) if "\n" in text else text
        if not tidy or tidy[-1].text[-1:] == "\n":
            text = text.lstrip()
        elif text[:1] == "\n":
            tidy[-1] = Word(tidy[-1].start, tidy[-1].text.rstrip())
        if text:
            tidy.append(Word(start, text))
    while tidy:
        last = tidy.pop()
        if kept := last.text.rstrip():
            tidy.append(Word(last.start, kept))
            break
    return tuple(tidy)


def _tidy_breaks(text: str) -> str:
    """Like `rows`, but white space at either end of the piece stays."""
    first, *middle, last = text.split("\n")
    kept = [row for line in middle if (row := line.strip())]
    return "\n".join([first.rstrip(), *kept, last.lstrip()])


def gather(pieces: Iterable[tuple[int, str]]) -> tuple[list[int], list[str]]:
    """Times and texts of pieces, those that follow each other at the same time as one."""
    groups = [(at, "".join([text for _, text in group])) for at, group in groupby(pieces, itemgetter(0))]
    return [at for at, _ in groups], [text for _, text in groups]


def _is_tidy(text: str) -> bool:
    """Whether `rows` would leave the text alone, found out without splitting it when it is ASCII."""
    if not text.isascii():
        return rows(text) == text
    return text == text.strip() and "\n\n" not in text and " \n" not in text and "\n " not in text


def timed_cue(
    start: int, end: int, times: list[int], texts: list[str], speaker: str | None = None
) -> Cue | None:
    """A cue from pieces of text whose times are known; None when they hold no text."""
    text = "".join(texts)
    words = tuple(map(Word, times, texts))
    if "" in texts or not _is_tidy(text):
        words = tidy_words(words)
        text = "".join([word.text for word in words])
    if not text:
        return None
    return Cue(start, end, text, speaker, words if len(words) > 1 else ())


def marked_cue(start: int, end: int, payload: str) -> Cue | None:
    """A cue from the payload of a WebVTT or SubRip cue; None when it holds no text."""
    if "<" not in payload and "&" not in payload:
        text = rows(payload)
        return Cue(start, end, text) if text else None
    payload, speaker = _voices(payload)
    parts = _STAMP.split(payload.strip())
    if len(parts) > 1:
        texts = parts[::2]
        if "&" in payload or payload.count("<") >= len(texts):  # more than the stamps
            texts = [_plain(text) for text in texts]
        return timed_cue(start, end, [start, *clocks(parts[1::2])], texts, speaker)
    text = rows(_plain(payload))
    return Cue(start, end, text, speaker) if text else None


def _plain(text: str) -> str:
    if "<" in text:
        text = strip_tags(text)
    return unescape(text) if "&" in text else text


def _voices(payload: str) -> tuple[str, str | None]:
    """One speaker goes into the model; several in one cue stay in the text, a row each."""
    names = _VOICE.findall(payload) if "<v" in payload else []
    distinct = {rows(unescape(name)) for name in names}
    if len(distinct) <= 1:
        return payload, (distinct.pop() or None) if distinct else None
    return _VOICE.sub(r"\n\1: ", payload), None
