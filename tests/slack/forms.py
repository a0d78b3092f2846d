"""What a person fills into a modal: the values of its inputs as Slack sends them back."""

from typing import Any

from tests.slack.rooms import Body

_PLAIN = {"plain_text_input", "url_text_input", "email_text_input", "number_input"}
_CHOSEN = {
    "users_select": "selected_user",
    "conversations_select": "selected_conversation",
    "channels_select": "selected_channel",
    "multi_users_select": "selected_users",
    "multi_conversations_select": "selected_conversations",
    "multi_channels_select": "selected_channels",
    "datepicker": "selected_date",
    "timepicker": "selected_time",
    "datetimepicker": "selected_date_time",
}
_OPTIONS = {"multi_static_select", "multi_external_select", "checkboxes"}


def state(blocks: list[Body], values: dict[str, Any], *, submits: bool) -> Body:
    """`state.values` with these values in inputs named by label, block_id or action_id; the rest as it began.

    A person cannot submit a form without what it requires; a test that does is wrong.
    """
    left = dict(values)
    found: Body = {}
    for block in blocks:
        for one in _inputs(block):
            names = [(block.get("label") or {}).get("text"), block["block_id"], one.get("action_id")]
            name = next((name for name in names if name in left), None)
            filled = fill(one, left.pop(name)) if name is not None else _initial(one)
            if submits and block["type"] == "input" and not block.get("optional") and _is_empty(filled):
                raise AssertionError(f"{names[0]!r} is required: the modal does not submit")
            found.setdefault(block["block_id"], {})[one["action_id"]] = filled
    assert not left, f"no such inputs: {sorted(left)}"
    return found


def fill(one: Body, value: Any) -> Body:
    """One input with this value; options are named by their value or their text."""
    kind = one["type"]
    if kind in _PLAIN:
        text = None if value is None else str(value)
        most = one.get("max_length") or 3000
        assert text is None or len(text) <= most, f"the input takes {most} characters"
        return {"type": kind, "value": text or None}
    if kind in _OPTIONS:
        return {"type": kind, "selected_options": [_option(one, each) for each in value]}
    if kind in _CHOSEN:
        return {"type": kind, _CHOSEN[kind]: getattr(value, "id", value)}
    return {"type": kind, "selected_option": None if value is None else _option(one, value)}


def _initial(one: Body) -> Body:
    kind = one["type"]
    if kind in _PLAIN:
        return {"type": kind, "value": one.get("initial_value") or None}
    if kind in _OPTIONS:
        return {"type": kind, "selected_options": one.get("initial_options") or []}
    if kind in _CHOSEN:
        name = _CHOSEN[kind]
        return {"type": kind, name: one.get(name.replace("selected", "initial"))}
    return {"type": kind, "selected_option": one.get("initial_option")}


def _inputs(block: Body) -> list[Body]:
    if block["type"] == "input":
        return [block["element"]]
    own = [*(block.get("elements") or []), block.get("accessory") or {}]
    if block["type"] not in ("actions", "section"):
        return []
    return [one for one in own if one.get("type") not in (None, "button", "overflow", "image")]


def _option(one: Body, value: Any) -> Body:
    groups = one.get("option_groups") or []
    options = [*(one.get("options") or []), *(each for group in groups for each in group["options"])]
    for option in options:
        if value in (option["value"], option["text"]["text"]):
            return dict(option)
    raise AssertionError(f"no option {value!r} in {[option['value'] for option in options]}")


def _is_empty(filled: Body) -> bool:
    return not any(value for name, value in filled.items() if name != "type")
