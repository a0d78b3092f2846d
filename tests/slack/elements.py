"""What can be clicked, chosen and filled in, and the limits of each."""

from collections.abc import Callable
from typing import Any

from tests.slack.check import Checker

Rule = Callable[[Checker, dict[str, Any], str], None]
ELEMENTS: dict[str, Rule] = {}
_CONVERSATIONS = (
    "initial_conversation",
    "initial_conversations",
    "default_to_current_conversation",
    "filter",
)
_SELECTS = {
    "static_select": ("options", "option_groups", "initial_option"),
    "external_select": ("min_query_length", "initial_option"),
    "users_select": ("initial_user",),
    "conversations_select": (*_CONVERSATIONS, "response_url_enabled"),
    "channels_select": ("initial_channel", "response_url_enabled"),
    "multi_static_select": ("options", "option_groups", "initial_options", "max_selected_items"),
    "multi_external_select": ("min_query_length", "initial_options", "max_selected_items"),
    "multi_users_select": ("initial_users", "max_selected_items"),
    "multi_conversations_select": (*_CONVERSATIONS, "max_selected_items"),
    "multi_channels_select": ("initial_channels", "max_selected_items"),
}
_INPUTS = {
    "plain_text_input": ("multiline", "min_length", "max_length"),
    "url_text_input": (),
    "email_text_input": (),
    "number_input": ("min_value", "max_value"),
}
_PICKERS = {
    "datepicker": "initial_date",
    "timepicker": "initial_time",
    "datetimepicker": "initial_date_time",
}
FILLABLE = {*_SELECTS, *_INPUTS, *_PICKERS, "checkboxes", "radio_buttons"}
IN_ACTIONS = {"button", "overflow", "checkboxes", "radio_buttons", *_SELECTS, *_PICKERS}
IN_SECTION = {*IN_ACTIONS, "image"}


def element(check: Checker, value: Any, at: str, allowed: set[str]) -> None:
    """It is one of the allowed elements, without a fault."""
    kind = value.get("type") if isinstance(value, dict) else None
    if kind not in allowed or kind not in ELEMENTS:
        check.say(f"unsupported type: {kind}", f"{at}/type")
        return
    if kind != "image":
        check.action_id(value.get("action_id"), f"{at}/action_id")
        check.confirm(value.get("confirm"), f"{at}/confirm")
        check.text(value.get("placeholder"), f"{at}/placeholder", 150, plain=True)
    ELEMENTS[kind](check, value, at)


def image(check: Checker, value: dict[str, Any], at: str) -> None:
    """A picture beside a text."""
    if check.fields(value, at, ("alt_text",), ("image_url", "slack_file")):
        check.string(value["alt_text"], f"{at}/alt_text", 2000)
    image_source(check, value, at)


def image_source(check: Checker, value: dict[str, Any], at: str) -> None:
    """A picture has an address, or a file that Slack has already."""
    if value.get("image_url") is None and value.get("slack_file") is None:
        check.say("missing required field: image_url", at)
    check.image_url(value.get("image_url"), f"{at}/image_url")


def button(check: Checker, value: dict[str, Any], at: str) -> None:
    """A button, which may open an address as well."""
    optional = ("action_id", "url", "value", "style", "confirm", "accessibility_label")
    check.fields(value, at, ("text",), optional)
    check.text(value.get("text"), f"{at}/text", 75, plain=True)
    if value.get("url") is not None:
        check.url(value["url"], f"{at}/url")
    check.string(value.get("value"), f"{at}/value", 2000)
    check.one_of(value.get("style"), f"{at}/style", ("primary", "danger"))
    check.string(value.get("accessibility_label"), f"{at}/accessibility_label", 75)


def option(check: Checker, value: Any, at: str, *, plain: bool, link: bool = False) -> None:
    """Something to choose."""
    if check.fields(value, at, ("text", "value"), ("description", *(("url",) if link else ()))):
        check.text(value["text"], f"{at}/text", 75, plain=plain)
        check.string(value["value"], f"{at}/value", 150)
        check.text(value.get("description"), f"{at}/description", 75, plain=plain)


def overflow(check: Checker, value: dict[str, Any], at: str) -> None:
    """The three dots."""
    check.fields(value, at, ("options",), ("action_id", "confirm"))
    for one, place in check.items(value.get("options"), f"{at}/options", 5):
        option(check, one, place, plain=True, link=True)


def boxes(check: Checker, value: dict[str, Any], at: str) -> None:
    """Checkboxes and radio buttons."""
    initial = "initial_options" if value["type"] == "checkboxes" else "initial_option"
    optional = ("action_id", initial, "confirm", "focus_on_load")
    check.fields(value, at, ("options",), optional)
    for one, place in check.items(value.get("options"), f"{at}/options", 10):
        option(check, one, place, plain=False)
    _initial(check, value, at)


def select(check: Checker, value: dict[str, Any], at: str) -> None:
    """A menu."""
    own = _SELECTS[value["type"]]
    check.fields(value, at, (), ("action_id", "placeholder", "confirm", "focus_on_load", *own))
    if "options" in own:
        if (value.get("options") is None) == (value.get("option_groups") is None):
            check.say("must provide either options or option_groups", at)
        for one, place in _options(check, value, at):
            option(check, one, place, plain=True)
    _initial(check, value, at)
    if value.get("max_selected_items") is not None and value["max_selected_items"] < 1:
        check.say("must be at least 1", f"{at}/max_selected_items")


def _options(check: Checker, value: dict[str, Any], at: str) -> list[tuple[Any, str]]:
    if value.get("options") is not None:
        return check.items(value["options"], f"{at}/options", 100)
    found = []
    for group, place in check.items(value.get("option_groups", []), f"{at}/option_groups", 100, 0):
        if check.fields(group, place, ("label", "options")):
            check.text(group["label"], f"{place}/label", 75, plain=True)
            found += check.items(group["options"], f"{place}/options", 100)
    return found


def _initial(check: Checker, value: dict[str, Any], at: str) -> None:
    """What is chosen from the start is one of the options, exactly."""
    groups = value.get("option_groups") or []
    options = [*(value.get("options") or []), *(one for group in groups for one in group.get("options", []))]
    chosen = value.get("initial_options") or []
    if value.get("initial_option") is not None:
        chosen = [value["initial_option"]]
    if options and any(one not in options for one in chosen):
        check.say("initial option must be one of the options", at)


def text_input(check: Checker, value: dict[str, Any], at: str) -> None:
    """A line or an area for text."""
    kind = value["type"]
    required = ("is_decimal_allowed",) if kind == "number_input" else ()
    usual = ("action_id", "placeholder", "initial_value", "dispatch_action_config", "focus_on_load")
    check.fields(value, at, required, (*usual, *_INPUTS[kind]))
    check.string(value.get("initial_value"), f"{at}/initial_value", value.get("max_length") or 3000, 0)
    if not 0 <= (value.get("min_length") or 0) <= 3000:
        check.say("must be at most 3000", f"{at}/min_length")
    if not 1 <= (value.get("max_length") or 1) <= 3000:
        check.say("must be at most 3000", f"{at}/max_length")


def picker(check: Checker, value: dict[str, Any], at: str) -> None:
    """A calendar or a clock."""
    optional = ("action_id", "placeholder", "confirm", "focus_on_load", "timezone", _PICKERS[value["type"]])
    check.fields(value, at, (), optional)


ELEMENTS |= {"image": image, "button": button, "overflow": overflow, "checkboxes": boxes}
ELEMENTS |= {"radio_buttons": boxes, **dict.fromkeys(_SELECTS, select)}
ELEMENTS |= {**dict.fromkeys(_INPUTS, text_input), **dict.fromkeys(_PICKERS, picker)}
