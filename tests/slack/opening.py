"""views.*: modals and Home tabs, and the trigger_ids that open them."""

import copy
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.slack.blocks import check_view, with_ids
from tests.slack.call import Body, Call
from tests.slack.methods import method
from tests.slack.refusal import Refused, invalid_arguments, missing
from tests.slack.rooms import User

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

TRIGGER_SECONDS = 3.0


@dataclass
class Trigger:
    """A person did something; for three seconds a modal may open because of it, once."""

    user: User
    made: float
    in_modal: bool
    is_used: bool = False


@dataclass
class OpenModal:
    """A modal on somebody's screen, with the errors that the app put under its fields."""

    body: Body
    errors: dict[str, str] = field(default_factory=dict)


class Screens:
    """Everybody's modals, the top one last, and Home tabs."""

    def __init__(self, slack: "SlackDouble") -> None:
        self.stacks: dict[str, list[OpenModal]] = {}
        self.homes: dict[str, Body] = {}
        self._slack = slack
        self._triggers: dict[str, Trigger] = {}

    def trigger(self, user: User, *, in_modal: bool = False) -> str:
        """A trigger_id for what the person does now."""
        name = f"{uuid.uuid4().int % 10**13}.{uuid.uuid4().int % 10**12}.{uuid.uuid4().hex}"
        self._triggers[name] = Trigger(user, self._slack.clock(), in_modal)
        return name

    def use_trigger(self, name: str) -> Trigger:
        """The trigger, which is now used."""
        trigger = self._triggers.get(name)
        if trigger is None:
            raise Refused("invalid_trigger_id")
        if trigger.is_used:
            raise Refused("exchanged_trigger_id")
        if self._slack.clock() - trigger.made > TRIGGER_SECONDS:
            raise Refused("expired_trigger_id")
        trigger.is_used = True
        return trigger

    def push(self, user: User, view: Any) -> Body:
        """A modal on top."""
        check_view(view, "modal", allow_local_urls=self._slack.allow_local_urls)
        stack = self.stacks.setdefault(user.id, [])
        if len(stack) >= 3:
            raise Refused("push_limit_reached")
        body = self._made(user, view)
        body["root_view_id"] = stack[0].body["id"] if stack else body["id"]
        body["previous_view_id"] = stack[-1].body["id"] if stack else None
        stack.append(OpenModal(body))
        self._slack.changed()
        return body

    def replace(self, modal: OpenModal, view: Any) -> Body:
        """Something else in the same modal."""
        check_view(view, "modal", allow_local_urls=self._slack.allow_local_urls)
        old = modal.body
        user = self._slack.world.users[self.owner(old["id"])]
        kept = {name: old[name] for name in ("id", "root_view_id", "previous_view_id")}
        modal.body = self._made(user, view) | kept
        modal.errors = {}
        self._slack.changed()
        return modal.body

    def find(self, view_id: str, external_id: str) -> OpenModal:
        """An open modal."""
        for stack in self.stacks.values():
            for modal in stack:
                if view_id == modal.body["id"] or (external_id and external_id == modal.body["external_id"]):
                    return modal
        raise Refused("not_found")

    def owner(self, view_id: str) -> str:
        """Whose modal it is."""
        for user_id, stack in self.stacks.items():
            if any(modal.body["id"] == view_id for modal in stack):
                return user_id
        raise Refused("not_found")

    def publish(self, user: User, view: Any) -> Body:
        """A Home tab for one person."""
        check_view(view, "home", allow_local_urls=self._slack.allow_local_urls)
        body = self._made(user, view)
        body["id"] = self.homes.get(user.id, body)["id"]
        self.homes[user.id] = body
        self._slack.changed()
        return body

    def answered(self, user: User, modal: OpenModal, answer: Any) -> None:
        """The app's acknowledgement of a submission decides what becomes of the modal."""
        stack = self.stacks.get(user.id, [])
        action = answer.get("response_action") if isinstance(answer, dict) else None
        if action == "errors":
            known = {block["block_id"] for block in modal.body["blocks"] if block["type"] == "input"}
            assert answer.get("errors"), "errors without an error: Slack shows that it had trouble connecting"
            assert set(answer["errors"]) <= known, (
                f"errors for {set(answer['errors']) - known}: no such input"
            )
            modal.errors = dict(answer["errors"])
        elif action == "update":
            self.replace(modal, answer["view"])
        elif action == "push":
            self.push(user, answer["view"])
        elif action == "clear":
            stack.clear()
        elif modal in stack:
            stack.remove(modal)
        self._slack.changed()

    def _made(self, user: User, view: Any) -> Body:
        view = copy.deepcopy(view)
        empty: Body = {
            "id": self._slack.world.new_id("V"),
            "team_id": user.team.id,
            "private_metadata": "",
            "callback_id": "",
            "external_id": "",
            "state": {"values": {}},
            "hash": f"{self._slack.world.next_ts()}.{uuid.uuid4().hex[:8]}",
            "previous_view_id": None,
            "app_id": self._slack.app_id,
            "app_installed_team_id": user.team.id,
            "bot_id": user.team.bot_id,
        }
        if view["type"] == "modal":
            empty |= {"clear_on_close": False, "notify_on_close": False, "close": None, "submit": None}
        made: Body = empty | view | {"blocks": with_ids(view["blocks"])}
        made["root_view_id"] = made["id"]
        return made


@method("views.open")
async def views_open(slack: "SlackDouble", call: Call) -> Body:
    """A modal for who pressed, ran or chose something in the last three seconds."""
    trigger = slack.screens.use_trigger(call.needed("trigger_id"))
    if not trigger.in_modal:
        slack.screens.stacks.pop(trigger.user.id, None)
    return {"view": slack.screens.push(trigger.user, _view(call))}


@method("views.push")
async def views_push(slack: "SlackDouble", call: Call) -> Body:
    """A modal on top of the one in which something was pressed."""
    trigger = slack.screens.use_trigger(call.needed("trigger_id"))
    if not slack.screens.stacks.get(trigger.user.id):
        raise Refused("not_found")
    return {"view": slack.screens.push(trigger.user, _view(call))}


@method("views.update")
async def views_update(slack: "SlackDouble", call: Call) -> Body:
    """Something else in an open modal."""
    if not call.text("view_id") and not call.text("external_id"):
        raise missing("view_id")
    modal = slack.screens.find(call.text("view_id"), call.text("external_id"))
    if call.text("hash") and call.text("hash") != modal.body["hash"]:
        raise Refused("hash_conflict")
    return {"view": slack.screens.replace(modal, _view(call))}


@method("views.publish")
async def views_publish(slack: "SlackDouble", call: Call) -> Body:
    """Somebody's Home tab."""
    user = slack.world.users.get(call.needed("user_id"))
    if user is None or user.team.id != call.token.team_id:
        raise invalid_arguments("user not found [json-pointer:/user_id]")
    old = slack.screens.homes.get(user.id)
    if old is not None and call.text("hash") and call.text("hash") != old["hash"]:
        raise Refused("hash_conflict")
    return {"view": slack.screens.publish(user, _view(call))}


def _view(call: Call) -> Any:
    view = call.json("view")
    if view is None:
        raise missing("view")
    return view
