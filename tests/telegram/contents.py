"""What a bot may write: texts, captions and keyboards, checked as Telegram checks them."""

import ipaddress
import json
from typing import Any
from urllib.parse import urlsplit

from tests.telegram import entities, utf16
from tests.telegram.call import Call
from tests.telegram.html import CannotParse, Entity, parse_html
from tests.telegram.refusal import bad_request

MAX_TEXT = 4096
MAX_CAPTION = 1024
MAX_BUTTON_DATA_BYTES = 64
MAX_BUTTONS = 100
MAX_MARKUP_BYTES = 10_000


def formatted(source: str, parse_mode: str, explicit: list[Entity] | None) -> tuple[str, list[Entity]]:
    """The visible text and its entities; spaces around it are cut off, as Telegram does."""
    mode = parse_mode.lower()
    if mode == "html":
        try:
            text, found = parse_html(source)
        except CannotParse as error:
            raise bad_request(f"can't parse entities: {error}") from None
    elif mode:
        raise bad_request("unsupported parse_mode")
    else:
        text, found = source, [dict(one) for one in explicit or []]
        _check_explicit(text, found)
    lead = utf16.length(text) - utf16.length(text.lstrip())
    text = text.strip()
    return text, entities.merge(_shifted(found, -lead, utf16.length(text)), text)


def _check_explicit(text: str, found: list[Entity]) -> None:
    for one in found:
        if not isinstance(one.get("offset"), int) or not isinstance(one.get("length"), int):
            raise bad_request("can't parse entities: entity offset and length must be Integers")
        end = one["offset"] + one["length"]
        if one["offset"] < 0 or one["length"] <= 0 or end > utf16.length(text):
            raise bad_request(
                f"entity beginning at UTF-16 offset {one['offset']} ends after the end of the text"
                f" at UTF-16 offset {end}"
            )


def _shifted(found: list[Entity], by: int, length: int) -> list[Entity]:
    moved = []
    for one in found:
        begin = max(0, one["offset"] + by)
        end = min(length, one["offset"] + by + one["length"])
        if end > begin:
            moved.append({**one, "offset": begin, "length": end - begin})
    return moved


def message_text(call: Call, *, is_edit: bool = False) -> tuple[str, list[Entity]]:
    """The text of sendMessage and editMessageText."""
    text, found = formatted(call.text("text"), call.text("parse_mode"), call.json("entities"))
    if not text:
        raise bad_request("message text is empty")
    if utf16.length(text) > MAX_TEXT:
        raise bad_request("MESSAGE_TOO_LONG" if is_edit else "message is too long")
    return text, found


def caption(source: str, parse_mode: str, explicit: list[Entity] | None) -> tuple[str, list[Entity]]:
    """A caption; it may be empty."""
    text, found = formatted(source, parse_mode, explicit)
    if utf16.length(text) > MAX_CAPTION:
        raise bad_request("message caption is too long")
    return text, found


def keyboard(call: Call, *, allow_local_urls: bool) -> dict[str, Any] | None:
    """The inline keyboard of a call, None without one."""
    markup = call.json("reply_markup")
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad_request("object expected as reply markup")
    rows = markup.get("inline_keyboard")
    if rows is None:
        return None  # keyboards for the person's own keyboard leave no trace on the message
    if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
        raise bad_request('field "inline_keyboard" must be an Array of Arrays')
    buttons = [[_button(one, allow_local_urls) for one in row] for row in rows if row]
    if sum(map(len, buttons)) > MAX_BUTTONS or len(json.dumps(buttons)) > MAX_MARKUP_BYTES:
        raise bad_request("reply markup is too long")
    return {"inline_keyboard": buttons} if buttons else None


def _button(button: Any, allow_local_urls: bool) -> dict[str, Any]:
    if not isinstance(button, dict):
        raise bad_request("can't parse inline keyboard button: InlineKeyboardButton must be an Object")
    if not str(button.get("text", "")).strip():
        raise bad_request("can't parse inline keyboard button: Text buttons are not allowed to be empty")
    if "callback_data" in button:
        if not 1 <= len(str(button["callback_data"]).encode()) <= MAX_BUTTON_DATA_BYTES:
            raise bad_request("BUTTON_DATA_INVALID")
    elif "url" in button:
        _check_url(str(button["url"]), allow_local_urls)
    elif not set(button) & {"web_app", "switch_inline_query", "copy_text", "pay", "login_url"}:
        raise bad_request(
            "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"
        )
    return dict(button)


def _check_url(url: str, allow_local: bool) -> None:
    """Stricter than Telegram for private addresses: it takes them, and nobody can open them."""
    scheme = urlsplit(url).scheme.lower() if "://" in url else ""
    if scheme in ("tg", "ton"):
        return
    said = f"inline keyboard button URL '{url}' is invalid"
    if scheme and scheme not in ("http", "https"):
        raise bad_request(f"{said}: Unsupported URL protocol")
    host = entities.host_of(url)
    if not host or any(character.isspace() for character in url):
        raise bad_request(f"{said}: Wrong HTTP URL")
    if not allow_local and _is_local(host):
        raise bad_request(f"{said}: Wrong HTTP URL")


def _is_local(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".internal"))
