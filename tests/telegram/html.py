"""Telegram's HTML parse mode: which markup it takes, and the words in which it refuses the rest.

The tags, the entities and the sentences follow the published parser (`parse_html` in tdlib/td). Stricter
than it in one thing: it lets a lone `&` pass, which the documentation forbids and which shows that
somebody did not escape a title; here that is an error.
"""

import re
from dataclasses import dataclass, field
from html import escape
from typing import Any

from tests.telegram import utf16

Entity = dict[str, Any]

TYPES = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "ins": "underline",
    "s": "strikethrough",
    "strike": "strikethrough",
    "del": "strikethrough",
    "tg-spoiler": "spoiler",
    "span": "spoiler",
    "a": "text_link",
    "code": "code",
    "pre": "pre",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
NAMED = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]+)|#([0-9]+)|([a-zA-Z]+));?")
ATTRIBUTE = re.compile(
    r"""\s*(?P<name>[^\s=>/]+)(?:\s*=\s*(?:"(?P<double>[^"]*)"|'(?P<single>[^']*)'|(?P<bare>[a-zA-Z0-9.-]+)))?"""
)
NO_VALUE_NEEDED = {("blockquote", "expandable")}


class CannotParse(Exception):
    """The text after "Bad Request: can't parse entities: "."""


@dataclass
class _Open:
    tag: str
    attributes: dict[str, str]
    offset: int
    text_index: int


@dataclass
class _Parser:
    """Reads the markup from left to right; positions in messages are bytes, as Telegram counts them."""

    source: str
    at: int = 0
    text: list[str] = field(default_factory=list)
    offset: int = 0
    entities: list[Entity] = field(default_factory=list)
    stack: list[_Open] = field(default_factory=list)

    def parse(self) -> tuple[str, list[Entity]]:
        while self.at < len(self.source):
            character = self.source[self.at]
            if character == "<":
                self._close() if self.source.startswith("</", self.at) else self._open()
            elif character == "&":
                decoded, self.at = _reference(self.source, self.at)
                self._add(decoded)
            else:
                self._add(character)
                self.at += 1
        if self.stack:
            raise CannotParse(f'Can\'t find end tag corresponding to start tag "{self.stack[-1].tag}"')
        return "".join(self.text), sorted(self.entities, key=lambda one: (one["offset"], -one["length"]))

    def _add(self, characters: str) -> None:
        self.text.append(characters)
        self.offset += utf16.length(characters)

    def _byte(self, index: int) -> int:
        return len(self.source[:index].encode())

    def _open(self) -> None:
        begin = self.at
        name = re.compile(r"[^\s>]*").match(self.source, begin + 1)
        if name is None or name.end() == len(self.source):
            raise CannotParse(f"Unclosed start tag at byte offset {self._byte(begin)}")
        tag = name.group().lower()
        if tag not in TYPES:
            raise CannotParse(f'Unsupported start tag "{tag}" at byte offset {self._byte(begin)}')
        attributes, self.at = self._attributes(tag, name.end(), begin)
        if tag == "span" and attributes.get("class") != "tg-spoiler":
            raise CannotParse(f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(begin)}')
        self.stack.append(_Open(tag, attributes, self.offset, len(self.text)))

    def _attributes(self, tag: str, at: int, begin: int) -> tuple[dict[str, str], int]:
        found: dict[str, str] = {}
        while True:
            rest = self.source[at:].lstrip()
            at = len(self.source) - len(rest)
            if rest.startswith(">"):
                return found, at + 1
            match = ATTRIBUTE.match(self.source, at)
            if not rest or match is None:
                raise CannotParse(f'Unclosed start tag "{tag}" at byte offset {self._byte(begin)}')
            name, values = match["name"].lower(), match.group("double", "single", "bare")
            value = next((value for value in values if value is not None), None)
            if value is None and (tag, name) not in NO_VALUE_NEEDED:
                raise CannotParse(
                    "Expected equal sign in declaration of an attribute of the tag"
                    f' "{tag}" at byte offset {self._byte(begin)}'
                )
            found[name] = _decoded(value or "")
            at = match.end()

    def _close(self) -> None:
        begin = self.at
        if not self.stack:
            raise CannotParse(f"Unexpected end tag at byte offset {self._byte(begin)}")
        match = re.compile(r"</([^\s>]*)\s*>").match(self.source, begin)
        if match is None:
            raise CannotParse(f"Unclosed end tag at byte offset {self._byte(begin)}")
        expected, found = self.stack[-1].tag, match[1].lower()
        if found and found != expected:
            raise CannotParse(
                f"Unmatched end tag at byte offset {self._byte(begin)},"
                f' expected "</{expected}>", found "</{found}>"'
            )
        self.at = match.end()
        opened = self.stack.pop()
        if self.offset > opened.offset:
            self._finish(opened)

    def _finish(self, opened: _Open) -> None:
        entity: Entity = {
            "type": TYPES[opened.tag],
            "offset": opened.offset,
            "length": self.offset - opened.offset,
        }
        if opened.tag == "a":
            url = opened.attributes.get("href") or "".join(self.text[opened.text_index :])
            if "." not in url and ":" not in url:
                return  # not an address: Telegram keeps the words and drops the link
            entity["url"] = url
        elif opened.tag == "tg-emoji":
            entity["custom_emoji_id"] = opened.attributes.get("emoji-id", "")
            if not entity["custom_emoji_id"].isdigit():
                raise CannotParse("Invalid custom emoji identifier specified")
        elif opened.tag == "blockquote" and "expandable" in opened.attributes:
            entity["type"] = "expandable_blockquote"
        elif opened.tag == "pre" and self._is_language(entity):
            entity["language"] = self.entities.pop()["language"]
        elif opened.tag == "code" and self.stack and self.stack[-1].tag == "pre":
            language = opened.attributes.get("class", "")
            if language.startswith("language-"):
                entity["language"] = language.removeprefix("language-")
        self.entities.append(entity)

    def _is_language(self, pre: Entity) -> bool:
        """`<pre><code class="language-x">` is one entity, not two."""
        last = self.entities[-1] if self.entities else {}
        return "language" in last and (last["offset"], last["length"]) == (pre["offset"], pre["length"])


def _reference(source: str, at: int) -> tuple[str, int]:
    match = REFERENCE.match(source, at)
    decoded = _character(match) if match else None
    if match is None or decoded is None:
        raise CannotParse(f'Unescaped "&" at byte offset {len(source[:at].encode())}')
    return decoded, match.end()


def _character(match: re.Match[str]) -> str | None:
    if match[3]:
        return NAMED.get(match[3])
    code = int(match[1], 16) if match[1] else int(match[2])
    return chr(code) if 0 < code < 0x10FFFF and not 0xD800 <= code <= 0xDFFF else None


def _decoded(value: str) -> str:
    return REFERENCE.sub(lambda match: _character(match) or match.group(), value)


def parse_html(source: str) -> tuple[str, list[Entity]]:
    """The text that people see and its entities, offsets in UTF-16 units. Raises `CannotParse`."""
    return _Parser(source).parse()


def to_html(text: str, entities: list[Entity]) -> str:
    """The markup that would make this message; entities that Telegram finds by itself add nothing."""
    marks: dict[int, list[tuple[int, int, str]]] = {}
    for rank, one in enumerate(sorted(entities, key=lambda one: (one["offset"], -one["length"]))):
        tags = _tags(one)
        if tags is not None:
            end = one["offset"] + one["length"]
            marks.setdefault(one["offset"], []).append((1, rank, tags[0]))
            marks.setdefault(end, []).append((0, -rank, tags[1]))
    parts, offset = [], 0
    for character in text:
        parts += [mark for _, _, mark in sorted(marks.pop(offset, []))]
        parts.append(escape(character, quote=False))
        offset += utf16.length(character)
    return "".join(parts + [mark for _, _, mark in sorted(marks.pop(offset, []))])


def _tags(entity: Entity) -> tuple[str, str] | None:
    kind = entity["type"]
    simple = {"bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "code": "code"}
    simple |= {"spoiler": "tg-spoiler", "blockquote": "blockquote", "pre": "pre"}
    if kind == "text_link":
        return f'<a href="{escape(entity["url"])}">', "</a>"
    if kind == "expandable_blockquote":
        return "<blockquote expandable>", "</blockquote>"
    if kind == "pre" and "language" in entity:
        return f'<pre><code class="language-{entity["language"]}">', "</code></pre>"
    return (f"<{simple[kind]}>", f"</{simple[kind]}>") if kind in simple else None
