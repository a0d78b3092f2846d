"""What Slack's client makes of what a person types: markup in `text`, and a rich_text block."""

import re
from typing import Any

from tests.slack.mrkdwn import SPECIAL

_LINK = re.compile(
    r"https?://[^\s<>|]+|(?<![\w@./])(?:[a-z0-9-]+\.)+(?:com|org|net|io|tv|be|example)(?:/\S*)?", re.I
)
_TAIL = ".,;:!?)'\""


def escape(text: str) -> str:
    """Slack escapes three characters and no more."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def markup(typed: str) -> str:
    """The text of the message: links and mentions in angle brackets, everything else escaped.

    What is in angle brackets already, such as `<@U1>` or `<https://x|x>`, stays.
    """
    return "".join(_marked(kind, piece) for kind, piece in _parts(typed))


def rich_text(typed: str) -> dict[str, Any]:
    """The block that Slack's client sends along with every message."""
    section = {"type": "rich_text_section", "elements": [_rich(*one) for one in _parts(typed)]}
    return {"type": "rich_text", "block_id": "rt1", "elements": [section]}


def links(typed: str) -> list[str]:
    """The addresses in it."""
    marked = [markup(typed)]
    found = [one.partition("|")[0] for one in SPECIAL.findall(marked[0]) if one[0] not in "@#!"]
    return [one.replace("&amp;", "&") for one in found]


def _parts(typed: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    end = 0
    for match in SPECIAL.finditer(typed):
        parts += _plain(typed[end : match.start()])
        parts.append(("special", match[1]))
        end = match.end()
    return parts + _plain(typed[end:])


def _plain(text: str) -> list[tuple[str, str]]:
    parts: list[tuple[str, str]] = []
    end = 0
    for match in _LINK.finditer(text):
        link = match[0].rstrip(_TAIL)
        parts += [("text", text[end : match.start()]), ("link", link)]
        end = match.start() + len(link)
    parts.append(("text", text[end:]))
    return [one for one in parts if one[1]]


def _marked(kind: str, piece: str) -> str:
    if kind == "text":
        return escape(piece)
    if kind == "special":
        return f"<{piece if '&amp;' in piece else piece.replace('&', '&amp;')}>"
    if "://" in piece:
        return f"<{escape(piece)}>"
    return f"<http://{escape(piece)}|{escape(piece)}>"


def _rich(kind: str, piece: str) -> dict[str, Any]:
    if kind == "text":
        return {"type": "text", "text": piece}
    if kind == "link":
        return {"type": "link", "url": piece} if "://" in piece else _labelled(f"http://{piece}", piece)
    target, _, label = piece.partition("|")
    if target[0] == "@":
        return {"type": "user", "user_id": target[1:]}
    if target[0] == "#":
        return {"type": "channel", "channel_id": target[1:]}
    if target[0] == "!":
        return {"type": "broadcast", "range": target[1:]}
    return _labelled(target, label) if label else {"type": "link", "url": target}


def _labelled(url: str, label: str) -> dict[str, Any]:
    return {"type": "link", "url": url, "text": label}
