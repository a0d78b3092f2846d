"""What strangers write, as every database takes it. Pure."""

import re

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def storable(text: str) -> str:
    """The text without the characters that no database takes."""
    return _UNSTORABLE.sub("", text)
