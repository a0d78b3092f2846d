"""The name of a media: what makes two links the same. Never cut and never empty, or strangers become one."""

import unicodedata
from hashlib import sha256

_LONGEST = 300  # characters
_UNFIT = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def media_id(name: object, otherwise: str = "") -> str:
    """A site's name for a media as it is, or its SHA-256 in hex when it is too long or not plain text.

    `otherwise` stands in for an empty name.
    """
    text = str(name if name is not None else "") or otherwise
    if 0 < len(text) <= _LONGEST and not any(unicodedata.category(letter) in _UNFIT for letter in text):
        return text
    return digest(text)


def digest(text: str) -> str:
    """64 hex digits that stand for the text, whatever is in it."""
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
