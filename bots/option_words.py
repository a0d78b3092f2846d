"""The words after a link, in any order: `720p mp4 clip 1:20-2:05 subs en,de to spanish`."""

import re
from collections import deque
from collections.abc import Iterable
from itertools import islice

from shared.errors import CommandError
from shared.languages import ALL, ORIGINAL, normalize_language
from shared.options import CaptionFormat, Clip, MediaFormat, Options, Quality

MAX_LANGUAGES = 10
MAX_ECHO = 40
LONGEST_LANGUAGE_NAME = 3  # words, as in "latin american spanish"

QUALITIES = (
    {quality.value: quality for quality in Quality}
    | {quality.value.removesuffix("p"): quality for quality in Quality if quality.max_height}
    | {"4k": Quality.P2160}
)
FORMATS = {media.value: media for media in MediaFormat} | {"audio": MediaFormat.M4A}
CAPTION_FORMATS = {caption.value: caption for caption in CaptionFormat}
# What leads to a moment of the watch page, and what that page needs to show one.
PAGED, TIMED = {CaptionFormat.MD, CaptionFormat.JSON}, {CaptionFormat.SRT, CaptionFormat.VTT}
KEYWORDS = frozenset({*QUALITIES, *FORMATS, *CAPTION_FORMATS, "clip", "subs", "to", "speech", "times"})

_TIME = r"(?:(?:[0-9]{1,3}:)?[0-9]{1,4}:)?[0-9]{1,6}(?:\.[0-9]{1,3})?"
# Phones turn hyphens into dashes of every length.
_RANGE = re.compile(rf"(?P<start>{_TIME}) ?(?:[-‐-―−]+|\bto\b) ?(?P<end>{_TIME})(?!\S)", re.IGNORECASE)
_RANGE_WORDS = 3

_LANGUAGE_HELP = "write a code such as en or pt-BR, or an English name such as german"
_GET_HELP = (
    f"/get takes a quality ({', '.join(Quality)}), a format ({', '.join(MediaFormat)}), "
    "'clip 1:20-2:05', 'subs en,de', 'speech', 'times' and 'to spanish'."
)
_SUBS_HELP = (
    f"/subs takes languages (en,de, german, orig or all), formats ({', '.join(CaptionFormat)}), "
    "'speech', 'times' and 'to spanish'."
)


def shown(word: str) -> str:
    """A word as an error may repeat it: quoted, short, and without anything invisible."""
    visible = "".join(character for character in word[: MAX_ECHO * 4] if character.isprintable())
    return f"'{visible if len(visible) <= MAX_ECHO - 2 else visible[: MAX_ECHO - 3] + '…'}'"


def read_get_options(words: Iterable[str]) -> Options:
    """The options of `/get`. `model_fields_set` names what was said. Raises `CommandError`."""
    return _Reader(words).read_get()


def read_subs_options(words: Iterable[str]) -> Options:
    """The options of `/subs`: no media; without a language, the one the video is spoken in.

    Without a format all of them are made. Raises `CommandError`.
    """
    return _Reader(words).read_subs()


class _Reader:
    """Takes the words one after the other; what they meant collects in `chosen`."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = deque(part for word in words for part in word.split(",") if part)
        self.chosen: dict[str, object] = {}
        self.said: dict[str, str] = {}
        self.languages: list[str] = []
        self.languages_wanted = False
        self.formats: set[CaptionFormat] = set()

    def read_get(self) -> Options:
        while word := self.next_word():
            key = word.lower()
            if key in QUALITIES:
                self.choose("quality", QUALITIES[key], word)
            elif key in FORMATS:
                self.choose("format", FORMATS[key], word)
            elif key == "clip":
                self.choose("clip", self.take_clip(), word)
            elif key == "subs":
                self.take_languages()
            elif not self.read_caption_word(key):
                raise CommandError(f"I do not know the word {shown(word)}; {_GET_HELP}")
        return self.options()

    def read_subs(self) -> Options:
        self.chosen["media"] = False
        self.languages_wanted = True
        while word := self.next_word():
            if self.read_caption_word(word.lower()):
                continue
            self.words.appendleft(word)
            language = None if word.lower() in KEYWORDS else self.take_language()
            if language is None:
                raise CommandError(f"I do not know the word {shown(word)}; {_SUBS_HELP}")
            self.languages.append(language)
        return self.options()

    def next_word(self) -> str | None:
        """The next word that says anything: brackets and emoji beside a link do not."""
        while self.words:
            word = self.words.popleft()
            if any(character.isalnum() for character in word):
                return word
        return None

    def read_caption_word(self, key: str) -> bool:
        """Read what `/get` and `/subs` share; False when the word is something else."""
        if key in CAPTION_FORMATS:
            self.formats.add(CAPTION_FORMATS[key])
        elif key == "speech":
            self.chosen["speech"] = True
        elif key == "times":
            self.chosen["timestamps"] = True
        elif key == "to":
            word = self.words[0] if self.words else ""
            language = self.take_language()
            if language in (None, ALL, ORIGINAL):
                raise CommandError(f"After 'to' I need one language, not {shown(word)}: {_LANGUAGE_HELP}.")
            self.choose("translate_to", language, word)
        else:
            return False
        self.languages_wanted = True
        return True

    def take_languages(self) -> None:
        """The languages after `subs`; there may be none before the next option or the end."""
        self.languages_wanted = True
        first = True
        while self.words and self.words[0].lower() not in KEYWORDS:
            word = self.words[0]
            language = self.take_language()
            if language is None and first and any(character.isalnum() for character in word):
                raise CommandError(f"I do not know the language {shown(word)}; {_LANGUAGE_HELP}.")
            if language is None:
                return
            self.languages.append(language)
            first = False

    def take_language(self) -> str | None:
        """The language that the next words name; they stay when they name none."""
        for count in range(min(LONGEST_LANGUAGE_NAME, len(self.words)), 0, -1):
            language = normalize_language(" ".join(islice(self.words, count)))
            if language is not None:
                for _ in range(count):
                    self.words.popleft()
                return language
        return None

    def take_clip(self) -> Clip:
        text = " ".join(islice(self.words, _RANGE_WORDS))
        match = _RANGE.match(text)
        start, end = (_seconds(match["start"]), _seconds(match["end"])) if match else (None, None)
        if match is None or start is None or end is None:
            word = self.words[0] if self.words else ""
            raise CommandError(f"I cannot read the clip {shown(word)}; write it as 'clip 1:20-2:05'.")
        if start >= end:
            raise CommandError(f"A clip has to end after it starts, and {shown(match.group())} does not.")
        for _ in range(match.group().count(" ") + 1):
            self.words.popleft()
        return Clip(start=start, end=end)

    def choose(self, field: str, value: object, word: str) -> None:
        """Note a choice; saying it twice is fine, saying two things is not."""
        if field in self.chosen and self.chosen[field] != value:
            what = "language to translate to" if field == "translate_to" else field
            both = "two" if field == "clip" else f"{shown(self.said[field])} and {shown(word)}"
            raise CommandError(f"Choose one {what}; you wrote {both}.")
        self.chosen[field] = value
        self.said[field] = word

    def options(self) -> Options:
        if self.languages_wanted:
            self.chosen["languages"] = tuple(dict.fromkeys(self.languages)) or (ORIGINAL,)
        if len(set(self.languages)) > MAX_LANGUAGES:
            raise CommandError(f"Ask for at most {MAX_LANGUAGES} languages at once, or for 'all'.")
        if self.formats and self.chosen.get("timestamps"):
            self.formats.add(CaptionFormat.TXT)
        if self.formats & PAGED and not self.formats & TIMED:
            self.formats.add(CaptionFormat.VTT)
        if self.formats:
            self.chosen["caption_formats"] = tuple(f for f in CaptionFormat if f in self.formats)
        return Options.model_validate(self.chosen)


def _seconds(time: str) -> float | None:
    """`1:02:03.5` in seconds; None when minutes or seconds overflow beside a larger unit."""
    *larger, last = time.split(":")
    if (larger and float(last) >= 60) or any(int(part) >= 60 for part in larger[1:]):
        return None
    total = 0.0
    for part in (*larger, last):
        total = total * 60 + float(part)
    return total
