"""File names for people: made from a title, safe in a header and on any file system."""

import re
import unicodedata
from urllib.parse import quote

FALLBACK = "video"
MIN_BYTES = 64  # room for the longest extension and a few words
MAX_EXTENSION = 32

_REPLACED = str.maketrans({"/": "-", "\\": "-", "|": "-", ":": "-", '"': "'"} | dict.fromkeys("*?<>", ""))
# Windows reserves these before the first dot, in any case, whatever follows: `con.tar.gz`.
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|com[0-9¹²³]|lpt[0-9¹²³]) *(?:\.|$)", re.IGNORECASE
)
_JOINER = "\u200d"
_KEPT_FORMATS = f"{_JOINER}\u200c"  # they join emoji and shape Persian words
_MAX_TITLE = 4096  # far beyond any name, so that a title of megabytes costs nothing
_FLAG_LETTERS = range(0x1F1E6, 0x1F200)
_SKIN_TONES = range(0x1F3FB, 0x1F400)


def safe_file_name(title: str, extension: str, *, max_bytes: int = 180) -> str:
    """A file name of at most `max_bytes` UTF-8 bytes; `video` when nothing of the title is left.

    No separators, control or invisible characters, no leading dots or dashes, nothing that Windows
    reserves; cut between the characters that a reader sees. Raises ValueError below 64 bytes.
    """
    if max_bytes < MIN_BYTES:
        raise ValueError(f"a file name needs at least {MIN_BYTES} bytes")
    suffix = _suffix(extension)
    stem = _cut(_clean(title), max_bytes - len(suffix.encode()) - 1)
    stem = stem.rstrip(f" .{_KEPT_FORMATS}") or FALLBACK
    if _RESERVED.match(stem):
        stem = f"_{stem}"
    return stem + suffix


def content_disposition(disposition: str, name: str) -> str:
    """The header with the name in ASCII for old programs and in UTF-8 for all others (RFC 6266, appendix D).

    No name can add a header: all but printable ASCII without quotes becomes `_`, and percents in the other.
    """
    # A percent sign would be decoded by some browsers, a backslash is an escape.
    ascii_name = re.sub(r'[^\x20-\x7e]|["\\%]', "_", name)
    value = f'{disposition}; filename="{ascii_name}"'
    if ascii_name != name:
        value += f"; filename*=UTF-8''{quote(name, safe='')}"
    return value


def _suffix(extension: str) -> str:
    kept = re.sub(r"[^A-Za-z0-9.-]", "", extension)[:MAX_EXTENSION]
    kept = re.sub(r"\.{2,}", ".", kept).strip(".-")
    return f".{kept}" if kept else ""


def _clean(title: str) -> str:
    visible = "".join(_visible(character) for character in title[:_MAX_TITLE].translate(_REPLACED))
    return " ".join(unicodedata.normalize("NFC", visible).split()).lstrip(f" .-~{_KEPT_FORMATS}")


def _visible(character: str) -> str:
    """The character, a space for what separates words or lines, nothing for what cannot be seen."""
    if character.isspace() or character == "\0":
        return " "
    hidden = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Co")
    return "" if hidden and character not in _KEPT_FORMATS else character


def _cut(text: str, max_bytes: int) -> str:
    """The longest beginning of `text` that fits and ends between two visible characters."""
    size, end, flags = 0, 0, 0
    for index, character in enumerate(text):
        is_second_of_flag = ord(character) in _FLAG_LETTERS and flags % 2 == 1
        if not is_second_of_flag and not _continues(text, index):
            end = index
        flags = flags + 1 if ord(character) in _FLAG_LETTERS else 0
        size += len(character.encode())
        if size > max_bytes:
            return text[:end]
    return text


def _continues(text: str, index: int) -> bool:
    """True when the character at `index` belongs to the one before it: accents, skin tones, joined emoji."""
    character = text[index]
    return (
        unicodedata.category(character).startswith("M")
        or character in _KEPT_FORMATS
        or ord(character) in _SKIN_TONES
        or (index > 0 and text[index - 1] == _JOINER)
    )
