"""XML captions as a flat run of timed blocks, read event by event so that a broken file gives its good part.

A document type is refused: captions need none, and entity bombs live there.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from worker.captions.cues import MAX_CUES
from worker.captions.markup import unescape

MAX_DEPTH = 100
MAX_PIECES = 5 * MAX_CUES
_BARE = re.compile(r"&(?!(?:amp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});)")
_NAMED = re.compile(r"&(?!(?:amp|lt|gt|quot|apos);)[A-Za-z][A-Za-z0-9]{1,31};")
_BLOCK_TAG = re.compile(r"<(?:\w+:)?(?:p|text)[\s>]")

Attributes = dict[str, str]
_NO_ATTRIBUTES: Attributes = {}


@dataclass(slots=True)
class Block:
    """One timed element: its attributes, those of the elements around it, and its text in pieces."""

    attributes: Attributes
    around: tuple[Attributes, ...]
    pieces: list[tuple[Attributes, str]] = field(default_factory=list)


class _Refused(Exception):
    pass


class _Collector:
    """Expat's events to blocks. Names lose their prefix: sites disagree about namespaces."""

    def __init__(self, names: frozenset[str], on_start: Callable[[str, Attributes], None] | None) -> None:
        self.blocks: list[Block] = []
        self._names = names
        self._on_start = on_start
        self._stack: list[Attributes] = []
        self._block: Block | None = None
        self._block_depth = 0
        self._pieces = 0

    @property
    def inside(self) -> bool:
        """True between the start and the end of a block."""
        return self._block is not None

    def start(self, tag: str, attributes: Attributes) -> None:
        name = tag.rpartition(":")[2]
        attributes = {key.rpartition(":")[2]: value for key, value in attributes.items()}
        if len(self._stack) >= MAX_DEPTH:
            raise _Refused("nested too deeply")
        if self._block is None and name in self._names:
            self._block = Block(attributes, tuple(self._stack))
            self._block_depth = len(self._stack)
        elif self._block is not None and name == "br":
            self.text("\u2028")  # a break that is meant, unlike the newlines of the file's layout
        elif self._on_start:
            self._on_start(name, attributes)
        self._stack.append(attributes)

    def end(self, _tag: str) -> None:
        self._stack.pop()
        if self._block is not None and len(self._stack) == self._block_depth:
            self.blocks.append(self._block)
            self._block = None
            if len(self.blocks) >= MAX_CUES:
                raise _Refused("too many cues")

    def text(self, text: str) -> None:
        if self._block is None:
            return
        self._pieces += 1
        if self._pieces > MAX_PIECES:
            raise _Refused("too many pieces of text")
        inner = self._stack[-1] if len(self._stack) > self._block_depth + 1 else _NO_ATTRIBUTES
        self._block.pieces.append((inner, text))


def read_blocks(
    text: str, names: frozenset[str], on_start: Callable[[str, Attributes], None] | None = None
) -> tuple[list[Block], int]:
    """Every element with one of the names, and how many were lost to broken XML. Never raises.

    `on_start` sees the name and attributes of every other element that opens.
    """
    collector = _Collector(names, on_start)
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = collector.start
    parser.EndElementHandler = collector.end
    parser.CharacterDataHandler = collector.text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    text = _escape_bare(text.lstrip())
    try:
        parser.Parse(text, True)
    except (expat.ExpatError, _Refused):
        rest = text.encode("utf-8", "replace")[max(0, parser.CurrentByteIndex) :].decode("utf-8", "replace")
        return collector.blocks, max(1, len(_BLOCK_TAG.findall(rest)) + collector.inside)
    return collector.blocks, 0


def _escape_bare(text: str) -> str:
    """Ampersands that sites forget to escape, and HTML's names that XML does not know."""
    if "&" not in text:
        return text
    text = _NAMED.sub(lambda found: _xml_safe(unescape(found[0])), text)
    return _BARE.sub("&amp;", text)


def _xml_safe(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _refuse_doctype(*_: object) -> None:
    raise _Refused("document types are refused")
