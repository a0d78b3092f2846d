"""/settings: what a chat gets without asking. Pure: settings -> page, press -> settings."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from bots.desk import Refused
from shared.chat.choices import AUDIO, TRANSCRIPT
from shared.chat.telegram.render import Button, Message, Rows
from shared.languages import ALL, ORIGINAL, language_name, normalize_language
from shared.models import ChatSettings
from shared.options import Quality

VERB = "set"
ASK, NONE, FILE, LINK = "ask", "none", "file", "link"
MOST_LANGUAGES = 10

CHOICES = {
    ASK: "Ask me",
    Quality.BEST: "Best",
    Quality.P1080: "1080p",
    Quality.P720: "720p",
    Quality.P480: "480p",
    AUDIO: "Audio",
    TRANSCRIPT: "Transcript",
}
LANGUAGES = {
    NONE: "No captions",
    ORIGINAL: "Original language",
    "en": "English",
    "de": "German",
    "es": "Spanish",
}
ANSWERS = {FILE: "Send the file", LINK: "Send a link"}
SUBS_HELP = "For other caption languages, write for example /settings subs en,de."


@dataclass(frozen=True)
class Wish:
    """What a chat wants, as a value."""

    choice: str | None
    languages: tuple[str, ...]
    as_link: bool

    @classmethod
    def of(cls, settings: ChatSettings) -> "Wish":
        """What the chat has said so far."""
        return cls(settings.choice, tuple(settings.languages), settings.as_link)


def page(wish: Wish) -> Message:
    """The settings with a button for each value; the present ones are marked."""
    languages = ", ".join(_language(code) for code in wish.languages) or "none"
    choice = CHOICES.get(wish.choice or ASK, wish.choice or "")
    lines = [
        "<b>Settings of this chat</b>",
        f"A plain link: {'I ask what you would like' if wish.choice is None else choice}",
        f"Captions: {languages}",
        f"Answer: {'always a link' if wish.as_link else 'the file, or a link when it is too big'}",
        "",
        SUBS_HELP,
    ]
    present = {wish.choice or ASK}
    captions = {",".join(wish.languages) or NONE}
    return Message(
        "\n".join(lines),
        (
            *_rows("choice", CHOICES, present, (1, 3, 3)),
            *_rows("subs", LANGUAGES, captions, (2, 3)),
            *_rows("as", ANSWERS, {LINK if wish.as_link else FILE}, (2,)),
        ),
    )


def pressed(wish: Wish, data: str) -> Wish:
    """The settings after a press; the same after a second one. Raises Refused for what no button says."""
    _, _, what = data.partition(":")
    field, _, value = what.partition(":")
    if field == "choice" and value in CHOICES:
        return replace(wish, choice=None if value == ASK else value)
    if field == "subs" and value in LANGUAGES:
        return replace(wish, languages=() if value == NONE else (value,))
    if field == "as" and value in ANSWERS:
        return replace(wish, as_link=value == LINK)
    raise Refused("I do not know that setting; /settings shows all of them.")


def written(wish: Wish, words: Sequence[str]) -> Wish:
    """The settings after `/settings subs en,de`. Raises Refused when it says something else."""
    if len(words) < 2 or words[0].lower() != "subs":
        raise Refused(SUBS_HELP)
    named = [word for word in " ".join(words[1:]).replace(",", " ").split() if word]
    if [word.lower() for word in named] == [NONE]:
        return replace(wish, languages=())
    codes = []
    for word in named:
        code = word.lower() if word.lower() == ORIGINAL else normalize_language(word)
        if code is None or code == ALL:
            raise Refused(f"I do not know the language {word[:40]!r}. {SUBS_HELP}")
        codes.append(code)
    if len(set(codes)) > MOST_LANGUAGES:
        raise Refused(f"Name at most {MOST_LANGUAGES} languages.")
    return replace(wish, languages=tuple(dict.fromkeys(codes)))


def _language(code: str) -> str:
    return "the original language" if code == ORIGINAL else language_name(code)


def _rows(field: str, values: dict[str, str], present: set[str], widths: Sequence[int]) -> Rows:
    buttons = [
        Button(f"✓ {label}" if value in present else label, f"{VERB}:{field}:{value}")
        for value, label in values.items()
    ]
    rows, start = [], 0
    for width in widths:
        rows.append(tuple(buttons[start : start + width]))
        start += width
    return tuple(rows)
