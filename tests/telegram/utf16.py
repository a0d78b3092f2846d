"""Telegram counts text in UTF-16 code units, Python in code points: an emoji is two there and one here."""


def length(text: str) -> int:
    """The number of UTF-16 code units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def cut(text: str, offset: int, size: int) -> str:
    """`size` code units of the text from the code unit `offset`."""
    return text.encode("utf-16-le")[2 * offset : 2 * (offset + size)].decode("utf-16-le", "replace")


def offset_of(text: str, index: int) -> int:
    """The code unit at which the Python index begins."""
    return length(text[:index])
