"""Bytes to clean text, whatever encoding a site used, and a guess which format the text is."""

import codecs
import re

MAX_BYTES = 50 * 1024 * 1024  # the captions of a ten-hour video are under 10 MB

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark starts with the same two bytes
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_XML_ENCODING = re.compile(rb"""\A\s*<\?xml[^>]{0,200}?encoding\s*=\s*["']([\w.-]{1,40})["']""")
# Codecs a caption file may name. Python knows others that are slow or no text encodings at all.
_NAMED = re.compile(r"(?i)\A(?:iso-?8859-\d+|windows-?125\d|cp125\d|shift_?jis|euc-\w+|gb\w+|big5|koi8-\w)\Z")
_C0 = bytes(code for code in range(32) if code not in b"\t\n\r") + b"\x7f"
# What would split a row, hide text or fail to encode: C0, C1, line and paragraph separators, half
# surrogate pairs, byte order marks. Direction marks and joiners stay: Hebrew, Persian and emoji need them.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def decode(data: bytes) -> str:
    """The text with newlines as \\n and without control characters. Never raises."""
    text = _to_text(data[:MAX_BYTES].translate(None, _C0) if _is_bytewise(data) else data[:MAX_BYTES])
    return clean(text) if not _is_bytewise(data) else _breaks(text, controls=not text.isascii())


def clean(text: str) -> str:
    """The text without control characters; tabs are spaces, every kind of newline is \\n."""
    return _breaks(text, controls=True)


def _breaks(text: str, *, controls: bool) -> str:
    if "\r" in text:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = text.replace("\t", " ")
    return _CONTROLS.sub("", text) if controls else text


def _is_bytewise(data: bytes) -> bool:
    """False for UTF-16 and UTF-32, whose zero bytes are no control characters."""
    return data[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and b"\0" not in data[:64]


def _to_text(data: bytes) -> str:
    for mark, name in _BOMS:
        if data.startswith(mark):
            return data[len(mark) :].decode(name, "replace")
    if b"\0" in data[:64]:  # UTF-16 without a mark: the zero bytes of Latin text tell the order
        even, odd = data[:64:2].count(0), data[1:64:2].count(0)
        if max(even, odd) >= 8:
            return data.decode("utf-16-be" if even > odd else "utf-16-le", "replace")
    declared = _XML_ENCODING.match(data[:400])
    if declared and _NAMED.match(name := declared[1].decode("ascii", "replace")):
        try:
            return data.decode(name, "replace")
        except LookupError:
            pass
    return _utf8_or_latin(data)


def _utf8_or_latin(data: bytes) -> str:
    """UTF-8 when it is, even with a few broken bytes in it; else Windows Latin, else plain Latin-1."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        guess = data.decode("utf-8", "replace")
    broken = guess.count("\ufffd")
    if sum(char > "\x7f" for char in guess) > 2 * broken:
        return guess
    try:
        return data.decode("cp1252")
    except UnicodeDecodeError:
        return data.decode("latin-1")


_SNIFFS = (
    ("vtt", re.compile(r"\A\s*WEBVTT\b")),
    ("json3", re.compile(r"\A\s*\{")),
    ("ass", re.compile(r"(?m)^\[Script Info\]|^Dialogue:")),
    ("srv3", re.compile(r"<timedtext\b[^>]*\bformat=.3.|<body>\s*<p t=")),
    ("srv2", re.compile(r"<timedtext\b|<text\b[^>]* t=")),
    ("srv1", re.compile(r"<transcript\b|<text\b[^>]* start=")),
    ("ttml", re.compile(r"<(?:\w+:)?tt[\s>]")),
    ("srt", re.compile(r"\d:\d+(?:[.,]\d+)?[ \t]*-+>[ \t]*\d")),
    ("lrc", re.compile(r"(?m)^\s*\[\d+:\d")),
)


def sniff(text: str) -> str | None:
    """The format a text looks like, None when it looks like no captions at all."""
    head = text[:5000]
    return next((name for name, pattern in _SNIFFS if pattern.search(head)), None)
