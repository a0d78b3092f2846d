"""Block Kit's rules: what Slack takes in a message, a modal or a Home tab, and what it refuses."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from tests.slack.check import Checker
from tests.slack.elements import FILLABLE, IN_ACTIONS, IN_SECTION, element, image_source
from tests.slack.refusal import Refused, invalid_arguments

Blocks = list[dict[str, Any]]
WHOLE_MESSAGE = 13_200  # characters; undocumented, and Slack does not say what it counts
_ids = itertools.count(1)


def check_message(blocks: Any, *, allow_local_urls: bool = False) -> Blocks:
    """The blocks of a message, each with a block_id, or `invalid_blocks`."""
    if not isinstance(blocks, list) or not all(isinstance(one, dict) for one in blocks):
        raise Refused("invalid_blocks_format")
    check = Checker("message", allow_local_urls)
    _check_blocks(check, blocks, 50)
    if check.problems:
        raise Refused("invalid_blocks", *check.problems)
    if sum(map(len, _strings(blocks))) > WHOLE_MESSAGE:
        raise Refused("msg_blocks_too_long")
    return with_ids(blocks)


def check_view(view: Any, kind: str, *, allow_local_urls: bool = False) -> None:
    """A modal or a Home tab, or `invalid_arguments` that says what is wrong with it."""
    check = Checker(kind, allow_local_urls)
    if not isinstance(view, dict):
        raise invalid_arguments("must provide an object [json-pointer:/view]")
    if view.get("type") != kind:
        raise invalid_arguments(f"unsupported type: {view.get('type')} [json-pointer:/view/type]")
    usual = ("private_metadata", "callback_id", "external_id")
    if kind == "modal":
        names = ("close", "submit", "clear_on_close", "notify_on_close", "submit_disabled")
        check.fields(view, "/view", ("title", "blocks"), (*usual, *names))
        for name in ("title", "close", "submit"):
            check.text(view.get(name), f"/view/{name}", 24, plain=True)
    else:
        check.fields(view, "/view", ("blocks",), usual)
    for name, most in zip(usual, (3000, 255, 255), strict=True):
        check.string(view.get(name), f"/view/{name}", most, 0)
    blocks = view.get("blocks")
    if isinstance(blocks, list):
        _check_blocks(check, blocks, 100, "/view/blocks")
        if kind == "modal" and not view.get("submit") and any(one.get("type") == "input" for one in blocks):
            check.say("must include a `submit` when there are input blocks", "/view")
    if check.problems:
        raise invalid_arguments(*check.problems)
    if sum(map(len, _strings(view))) > 250_000:
        raise Refused("view_too_large")


def with_ids(blocks: Blocks) -> Blocks:
    """Slack gives every block and every element an id that has none."""
    named = []
    for block in blocks:
        block = {"block_id": f"b{next(_ids)}", **block}
        if isinstance(block.get("elements"), list) and block["type"] == "actions":
            block["elements"] = [{"action_id": f"a{next(_ids)}", **one} for one in block["elements"]]
        for name in ("accessory", "element"):
            if isinstance(block.get(name), dict) and block[name].get("type") != "image":
                block[name] = {"action_id": f"a{next(_ids)}", **block[name]}
        named.append(block)
    return named


def _check_blocks(check: Checker, blocks: Blocks, most: int, at: str = "/blocks") -> None:
    for block, place in check.items(blocks, at, most, 0):
        kind = block.get("type") if isinstance(block, dict) else None
        rule, surfaces = BLOCKS.get(str(kind), (None, ()))
        if rule is None or check.surface not in surfaces:
            check.say(f"unsupported type: {kind}", f"{place}/type")
            continue
        check.block_id(block.get("block_id"), f"{place}/block_id")
        if check.surface != "message":  # Slack wants them unique in a block; in a message we want more
            check.action_ids.clear()
        rule(check, block, place)


def _section(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, (), ("block_id", "text", "fields", "accessory", "expand"))
    if block.get("text") is None and block.get("fields") is None:
        check.say("missing required field: text", at)
    check.text(block.get("text"), f"{at}/text", 3000)
    if block.get("fields") is not None:
        for one, place in check.items(block["fields"], f"{at}/fields", 10):
            check.text(one, place, 2000)
    if block.get("accessory") is not None:
        element(check, block["accessory"], f"{at}/accessory", IN_SECTION)


def _header(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, ("text",), ("block_id", "level"))
    check.text(block.get("text"), f"{at}/text", 150, plain=True)


def _divider(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, (), ("block_id",))


def _image(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, ("alt_text",), ("block_id", "image_url", "slack_file", "title"))
    check.string(block.get("alt_text"), f"{at}/alt_text", 2000)
    check.text(block.get("title"), f"{at}/title", 2000, plain=True)
    image_source(check, block, at)


def _context(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, ("elements",), ("block_id",))
    for one, place in check.items(block.get("elements"), f"{at}/elements", 10):
        if isinstance(one, dict) and one.get("type") == "image":
            element(check, one, place, {"image"})
        else:
            check.text(one, place, 3000)


def _actions(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, ("elements",), ("block_id",))
    for one, place in check.items(block.get("elements"), f"{at}/elements", 25):
        element(check, one, place, IN_ACTIONS)


def _input(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, ("label", "element"), ("block_id", "hint", "optional", "dispatch_action"))
    check.text(block.get("label"), f"{at}/label", 2000, plain=True)
    check.text(block.get("hint"), f"{at}/hint", 2000, plain=True)
    check.flag(block.get("optional"), f"{at}/optional")
    element(check, block.get("element"), f"{at}/element", FILLABLE)


def _markdown(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, ("text",), ("block_id",))
    check.string(block.get("text"), f"{at}/text", 12_000)


def _rich_text(check: Checker, block: dict[str, Any], at: str) -> None:
    check.fields(block, at, ("elements",), ("block_id",))
    kinds = ("rich_text_section", "rich_text_list", "rich_text_preformatted", "rich_text_quote")
    for one, place in check.items(block.get("elements"), f"{at}/elements", 1000, 0):
        check.one_of(one.get("type") if isinstance(one, dict) else "", f"{place}/type", kinds)


def _video(check: Checker, block: dict[str, Any], at: str) -> None:
    required = ("alt_text", "title", "thumbnail_url", "video_url")
    optional = ("block_id", "author_name", "description", "provider_icon_url", "provider_name", "title_url")
    check.fields(block, at, required, optional)
    check.text(block.get("title"), f"{at}/title", 199, plain=True)
    check.image_url(block.get("thumbnail_url"), f"{at}/thumbnail_url")


_EVERYWHERE = ("message", "modal", "home")
BLOCKS: dict[str, tuple[Callable[[Checker, dict[str, Any], str], None], tuple[str, ...]]] = {
    "section": (_section, _EVERYWHERE),
    "header": (_header, _EVERYWHERE),
    "divider": (_divider, _EVERYWHERE),
    "image": (_image, _EVERYWHERE),
    "context": (_context, _EVERYWHERE),
    "actions": (_actions, _EVERYWHERE),
    "input": (_input, _EVERYWHERE),
    "rich_text": (_rich_text, _EVERYWHERE),
    "video": (_video, _EVERYWHERE),
    "markdown": (_markdown, ("message",)),
}


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list | dict):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _strings(one)
