"""What every rule of Block Kit is written with: fields, strings, addresses, text objects."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class Checker:
    """Collects what is wrong, in Slack's words: `must be less than 76 characters [json-pointer:/blocks/0]`.

    `surface` is message, modal or home. Slack downloads images, so an address on this machine is no
    image for it, unless `allow_local_urls`.
    """

    surface: str
    allow_local_urls: bool = False
    problems: list[str] = field(default_factory=list)
    action_ids: set[str] = field(default_factory=set)
    block_ids: set[str] = field(default_factory=set)

    def say(self, problem: str, at: str) -> None:
        """Something is wrong at this place."""
        self.problems.append(f"{problem} [json-pointer:{at}]")

    def fields(self, value: Any, at: str, required: Iterable[str] = (), optional: Iterable[str] = ()) -> bool:
        """It is an object with these fields and no other."""
        if not isinstance(value, dict):
            self.say("must provide an object", at)
            return False
        missing = [name for name in required if value.get(name) is None]
        for name in missing:
            self.say(f"missing required field: {name}", at)
        for name in set(value) - set(required) - set(optional) - {"type"}:
            self.say(f"invalid additional property: {name}", at)
        return not missing

    def string(self, value: Any, at: str, most: int, least: int = 1) -> None:
        """It is a string, neither too short nor too long; nothing is wrong with None."""
        if value is None:
            return
        if not isinstance(value, str):
            self.say("must provide a string", at)
        elif len(value) < least:
            self.say(f"must be more than {least - 1} characters", at)
        elif len(value) > most:
            self.say(f"must be less than {most + 1} characters", at)

    def flag(self, value: Any, at: str) -> None:
        """It is a truth value, or None."""
        if value is not None and not isinstance(value, bool):
            self.say("must provide a boolean", at)

    def one_of(self, value: Any, at: str, allowed: Iterable[Any]) -> None:
        """It is one of these, or None."""
        if value is not None and value not in tuple(allowed):
            self.say(f"value must be one of [{', '.join(map(str, allowed))}]", at)

    def url(self, value: Any, at: str) -> None:
        """It is an address that a button may open."""
        self.string(value, at, 3000)
        if isinstance(value, str) and not (urlsplit(value).scheme and urlsplit(value).netloc):
            self.say("must be a valid URL", at)

    def image_url(self, value: Any, at: str) -> None:
        """It is an address from which Slack can download an image."""
        self.url(value, at)
        if isinstance(value, str) and not self.allow_local_urls and _is_local(value):
            self.say("downloading image failed", at)

    def items(self, value: Any, at: str, most: int, least: int = 1) -> list[tuple[Any, str]]:
        """It is a list of so many; its items with their places."""
        if not isinstance(value, list):
            self.say("must provide an array", at)
            return []
        if len(value) > most:
            self.say(f"no more than {most} items allowed", at)
        if len(value) < least:
            self.say(f"must have at least {least} items", at)
        return [(one, f"{at}/{place}") for place, one in enumerate(value)]

    def text(self, value: Any, at: str, most: int, *, plain: bool = False, least: int = 1) -> None:
        """It is a text object; `plain` where mrkdwn is not allowed; nothing is wrong with None."""
        if value is None:
            return
        if not isinstance(value, dict) or value.get("type") not in ("plain_text", "mrkdwn"):
            self.say("must provide a valid text object", at)
            return
        if plain and value["type"] != "plain_text":
            self.say("must be one of the allowed types: plain_text", f"{at}/type")
        extra = ("emoji",) if value["type"] == "plain_text" else ("verbatim",)
        self.fields(value, at, ("text",), extra)
        for name in extra:
            self.flag(value.get(name), f"{at}/{name}")
        self.string(value.get("text"), f"{at}/text", most, least)

    def block_id(self, value: Any, at: str) -> None:
        """It is a block_id that no other block has, or None."""
        self.string(value, at, 255)
        if isinstance(value, str) and value in self.block_ids:
            self.say(f'`block_id` "{value}" already exists', at)
        self.block_ids.add(str(value))
        self.block_ids.discard("None")

    def action_id(self, value: Any, at: str) -> None:
        """It is an action_id that no other element has, or None."""
        self.string(value, at, 255)
        if isinstance(value, str) and value in self.action_ids:
            self.say(f'`action_id` "{value}" for another element already exists', at)
        self.action_ids.add(str(value))
        self.action_ids.discard("None")

    def confirm(self, value: Any, at: str) -> None:
        """It is a confirmation dialog, or None."""
        if value is None or not self.fields(value, at, ("title", "text", "confirm", "deny"), ("style",)):
            return
        self.text(value["title"], f"{at}/title", 100, plain=True)
        self.text(value["text"], f"{at}/text", 300)
        self.text(value["confirm"], f"{at}/confirm", 30, plain=True)
        self.text(value["deny"], f"{at}/deny", 30, plain=True)
        self.one_of(value.get("style"), f"{at}/style", ("primary", "danger"))


def _is_local(url: str) -> bool:
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return parts.scheme not in ("http", "https") or "." not in host or host.endswith((".local", ".test"))
