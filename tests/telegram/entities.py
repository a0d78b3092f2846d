"""The entities that Telegram finds by itself in a text, for people and bots alike."""

import re
from typing import Any
from urllib.parse import urlsplit

from tests.telegram import utf16

Entity = dict[str, Any]

# The well-known endings; Telegram knows them all. With a scheme, any host counts, an address too.
ENDINGS = "com|org|net|io|tv|me|de|uk|es|fr|ru|be|edu|gov|info|app|dev|co|example|test|invalid"
PATTERNS = {
    "url": re.compile(
        rf"(?:https?|ftp|tg|ton)://[^\s<>\"«»]+|(?<![\w@.])(?:[\w-]+\.)+(?:{ENDINGS})\b(?::\d+)?(?:[/?#][^\s<>\"«»]*)?",
        re.IGNORECASE,
    ),
    "email": re.compile(r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "bot_command": re.compile(r"(?<![\w/<>])/[a-zA-Z0-9_]{1,64}(?:@[a-zA-Z0-9_]{3,32})?(?![\w/@])"),
    "mention": re.compile(r"(?<![\w@/])@[a-zA-Z0-9_]{3,32}(?![\w@])"),
    "hashtag": re.compile(r"(?<![\w#])#\w*[^\W\d]\w*"),
}
TRAILING = ".,:;!?'\")]}"


def find(text: str) -> list[Entity]:
    """Addresses, commands, mentions and hashtags in a text, offsets in UTF-16 units, in order."""
    taken: list[tuple[int, int]] = []
    found: list[Entity] = []
    for kind, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            begin, end = match.start(), match.start() + len(_without_trail(kind, match.group()))
            if any(begin < other_end and other < end for other, other_end in taken):
                continue
            taken.append((begin, end))
            found.append(make(kind, text, begin, end))
    return sorted(found, key=lambda one: int(one["offset"]))


def make(kind: str, text: str, begin: int, end: int, **more: Any) -> Entity:
    """The entity over `text[begin:end]`, Python indexes."""
    return {
        "type": kind,
        "offset": utf16.offset_of(text, begin),
        "length": utf16.length(text[begin:end]),
        **more,
    }


def link(text: str, words: str, url: str) -> Entity:
    """A `text_link`: the first occurrence of the words leads to the address."""
    begin = text.index(words)
    return make("text_link", text, begin, begin + len(words), url=url)


def merge(own: list[Entity], text: str) -> list[Entity]:
    """The given entities and those that Telegram adds where none is."""
    busy = {"text_link", "code", "pre"}

    def is_free(entity: Entity) -> bool:
        end = entity["offset"] + entity["length"]
        return not any(
            one["type"] in busy and one["offset"] < end and entity["offset"] < one["offset"] + one["length"]
            for one in own
        )

    given = {(one["type"], one["offset"], one["length"]) for one in own}
    added = [
        one for one in find(text) if is_free(one) and (one["type"], one["offset"], one["length"]) not in given
    ]
    return sorted(own + added, key=lambda one: (one["offset"], -one["length"]))


def value(text: str, entity: Entity) -> str:
    """The part of the text that the entity covers."""
    return utf16.cut(text, entity["offset"], entity["length"])


def _without_trail(kind: str, found: str) -> str:
    if kind != "url":
        return found
    while found and found[-1] in TRAILING:
        if found[-1] == ")" and found.count("(") >= found.count(")"):
            break
        found = found[:-1]
    return found


def host_of(url: str) -> str:
    """The host in an address, with or without a scheme; empty when there is none."""
    try:
        return (urlsplit(url if "://" in url else f"http://{url}").hostname or "").lower()
    except ValueError:
        return ""
