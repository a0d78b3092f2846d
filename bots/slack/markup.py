"""Slack's markup, as a person would type it. Pure."""

import re

from bots.commands import USAGE

_LINK = re.compile(r"(?:https?|ftp|mailto|tel):", re.IGNORECASE)
_MARKUP = re.compile(rf"<((?:[@#!]|{_LINK.pattern})[^<>|]*)(?:\|([^<>]*))?>", re.IGNORECASE)
_ENTITIES = {"&lt;": "<", "&gt;": ">", "&amp;": "&"}
_NAMED = re.compile(rf"\s*/?({'|'.join(USAGE)})(?!\S)", re.IGNORECASE)
_WORDS_ONLY = ("status", "cancel", "find", "help")  # what stands behind them is never a link


def spoken(text: str) -> str:
    """What somebody typed behind the app's name: `get`, `subs` and the others need no slash there."""
    text = _without_mentions(text).strip()
    named = _NAMED.match(text)
    if named is None:
        return undone(text)
    name, rest = named[1].lower(), text[named.end() :].strip()
    return f"/{name} {_shown(rest) if name in _WORDS_ONLY else undone(rest)}".strip()


def undone(text: str) -> str:
    """Slack's markup as a person would type it. Links stay as they are: `bots.scanner` knows them."""
    return _rewritten(text, keep_links=True)


def _shown(text: str) -> str:
    """The text as people see it: what Slack took for a link is a word again."""
    return _rewritten(text, keep_links=False)


def _rewritten(text: str, *, keep_links: bool) -> str:
    pieces, position = [], 0
    for match in _MARKUP.finditer(text):
        pieces.append(_plain(text[position : match.start()]))
        position = match.end()
        if _LINK.match(match[1]):
            pieces.append(match[0] if keep_links else _plain(match[2] or match[1]))
        elif match[2]:
            pieces.append(_plain(match[2]))
    return "".join([*pieces, _plain(text[position:])])


def _plain(text: str) -> str:
    return re.sub("&(?:lt|gt|amp);", lambda match: _ENTITIES[match[0]], text)


def _without_mentions(text: str) -> str:
    return re.sub(r"<@[A-Z0-9]{1,32}(?:\|[^<>]{0,80})?>[:,]?", " ", text)
