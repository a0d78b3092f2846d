"""What a message's text and blocks really do: whom they ping, where their links lead, how they read.

Only what stands between `<` and `>` is special in Slack's markup, and `&lt;` is not `<`.
"""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

SPECIAL = re.compile(r"<([^<>\n]+)>")
_BARE_URL = re.compile(r"(?<![\w/|<])(?:https?://|www\.)[^\s<>|]+")
_BARE_NAME = re.compile(r"(?<![\w@#])(?:@(?:channel|here|everyone|group)\b|@[a-z][\w.-]*|#[a-z][\w-]*)", re.I)
_MARKDOWN_LINK = re.compile(r"\]\(([^()\s]+)[^()]*\)")


@dataclass
class Pings:
    """What a message would do to people and which links it has.

    `names` are bare `@channel`, `@ann` and `#general` that Slack may turn into mentions: it does so with
    `parse=full` or `link_names`, and documents it for mrkdwn objects that are not `verbatim`.
    """

    channel: bool = False
    here: bool = False
    everyone: bool = False
    users: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @property
    def anybody(self) -> bool:
        """Somebody gets a notification because of the text."""
        return self.channel or self.here or self.everyone or bool(self.users or self.groups)


def pings(body: dict[str, Any], flags: dict[str, Any] | None = None) -> Pings:
    """What the message does: its text, its blocks and its attachments together, and file comments."""
    found = Pings()
    parses = bool(flags and (flags.get("parse") == "full" or flags.get("link_names")))
    for piece, special, verbatim in _pieces(body):
        if special is not None:
            _note(found, special)
        else:
            _read(found, piece, verbatim=verbatim and not parses)
    found.links = list(dict.fromkeys(found.links))
    if parses:
        names = {one.lower() for one in found.names}
        found.channel |= "@channel" in names or "@group" in names
        found.here |= "@here" in names
        found.everyone |= "@everyone" in names
        found.users += [one for one in found.names if one[0] == "@"]
    return found


def _read(found: Pings, text: str, *, verbatim: bool) -> None:
    for match in SPECIAL.finditer(text):
        _note(found, match[1])
    rest = SPECIAL.sub(" ", text)
    found.links += [html.unescape(one) for one in _MARKDOWN_LINK.findall(rest)]
    if not verbatim:
        found.links += [html.unescape(one) for one in _BARE_URL.findall(rest)]
        found.names += _BARE_NAME.findall(_BARE_URL.sub(" ", rest))


def _note(found: Pings, special: str) -> None:
    target, _, _ = special.partition("|")
    if target.startswith("!subteam^"):
        found.groups.append(target.removeprefix("!subteam^"))
    elif target in ("!channel", "!group"):
        found.channel = True
    elif target in ("!here", "!everyone"):
        setattr(found, target[1:], True)
    elif target.startswith("@"):
        found.users.append(target[1:])
    elif target.startswith("#"):
        found.channels.append(target[1:])
    elif not target.startswith("!"):
        found.links.append(html.unescape(target))


def _pieces(body: dict[str, Any]) -> Iterator[tuple[str, str | None, bool]]:
    """The text, the special thing instead of a text, and whether bare names and links stay as they are."""
    if body.get("text"):
        yield body["text"], None, False
    for block in body.get("blocks") or []:
        yield from _pieces_of(block)
    for attachment in body.get("attachments") or []:
        for name in ("pretext", "text", "fallback", "title", "footer"):
            if attachment.get(name):
                yield attachment[name], None, False
        yield from _pieces({"blocks": attachment.get("blocks")})


def _pieces_of(value: Any) -> Iterator[tuple[str, str | None, bool]]:
    if isinstance(value, list):
        for one in value:
            yield from _pieces_of(one)
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    if kind in ("mrkdwn", "markdown"):
        yield value.get("text", ""), None, bool(value.get("verbatim"))
    elif kind == "broadcast":
        yield "", f"!{value.get('range')}", True
    elif kind in ("user", "usergroup", "channel") and f"{kind}_id" in value:
        mark = {"user": "@", "usergroup": "!subteam^", "channel": "#"}[kind]
        yield "", mark + value[f"{kind}_id"], True
    elif kind == "link":
        yield "", str(value.get("url")), True
    else:
        for one in value.values():
            yield from _pieces_of(one)


def read(text: str, name: Callable[[str], str] = lambda who: who) -> str:
    """The text as people read it; `name` says what stands for an id."""

    def shown(match: re.Match[str]) -> str:
        target, _, label = match[1].partition("|")
        if label:
            return label
        if target.startswith(("@", "#")):
            return target[0] + name(target[1:])
        return "@" + target[1:] if target.startswith("!") else target

    return html.unescape(SPECIAL.sub(shown, text))


def read_blocks(blocks: list[dict[str, Any]], name: Callable[[str], str] = lambda who: who) -> str:
    """All text in the blocks as people read it, a line for each; buttons in brackets."""
    return "\n".join(line for block in blocks for line in _lines(block, name) if line)


def _lines(value: Any, name: Callable[[str], str]) -> Iterator[str]:
    if isinstance(value, list):
        for one in value:
            yield from _lines(one, name)
    if not isinstance(value, dict):
        return
    kind = value.get("type")
    if kind in ("mrkdwn", "markdown"):
        yield read(value.get("text", ""), name)
    elif kind == "plain_text":
        yield html.unescape(value.get("text", ""))
    elif kind == "rich_text_section":
        yield "".join(_rich(one, name) for one in value.get("elements", []))
    elif kind == "button":
        yield f"[{html.unescape(value['text']['text'])}]"
    elif kind == "image":
        yield from _lines(value.get("title"), name)
        yield f"({value.get('alt_text')})"
    else:
        for key in ("title", "label", "text", "fields", "element", "accessory", "elements"):
            yield from _lines(value.get(key), name)


def _rich(one: dict[str, Any], name: Callable[[str], str]) -> str:
    if one["type"] in ("user", "channel"):
        return ("@" if one["type"] == "user" else "#") + name(one[f"{one['type']}_id"])
    if one["type"] == "broadcast":
        return "@" + str(one["range"])
    return str(one.get("text") or one.get("url") or "")
