"""The payloads of what people do, in the shape that Slack documents."""

import copy
import itertools
import uuid
from typing import TYPE_CHECKING, Any

from tests.slack.rooms import Room, Stored, Team, User
from tests.slack.shown import Button

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

Body = dict[str, Any]
VERIFICATION_TOKEN = "verification-token-of-the-double"
_events = itertools.count(1)


def command(slack: "SlackDouble", user: User, room: Room, line: str, url: str) -> Body:
    """The form fields of a slash command; the text is as typed."""
    name, _, text = line.partition(" ")
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": user.team.id,
        "team_domain": user.team.domain,
        "channel_id": room.id,
        "channel_name": room.payload_name,
        "user_id": user.id,
        "user_name": user.login,
        "command": name,
        "text": text.strip(),
        "api_app_id": slack.app_id,
        "is_enterprise_install": "false",
        "response_url": url,
        "trigger_id": slack.screens.trigger(user),
    }


def event(slack: "SlackDouble", team: Team, inner: Body) -> Body:
    """An event in its wrapping."""
    event_id = f"Ev0LF{next(_events):07d}"
    who = {
        "enterprise_id": None,
        "team_id": team.id,
        "user_id": team.bot_user_id,
        "is_bot": True,
        "is_enterprise_install": False,
    }
    return {
        "token": VERIFICATION_TOKEN,
        "team_id": team.id,
        "context_team_id": team.id,
        "context_enterprise_id": None,
        "api_app_id": slack.app_id,
        "event": inner,
        "type": "event_callback",
        "event_id": event_id,
        "event_time": int(slack.clock()),
        "authorizations": [who],
        "is_ext_shared_channel": False,
        "event_context": f"4-{event_id}",
    }


def interaction(slack: "SlackDouble", kind: str, user: User, *, in_modal: bool = False) -> Body:
    """What every interaction begins with."""
    team = user.team
    return {
        "type": kind,
        "user": {"id": user.id, "username": user.login, "name": user.login, "team_id": team.id},
        "api_app_id": slack.app_id,
        "token": VERIFICATION_TOKEN,
        "trigger_id": slack.screens.trigger(user, in_modal=in_modal),
        "team": {"id": team.id, "domain": team.domain},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def press(slack: "SlackDouble", button: Button) -> Body:
    """The action in block_actions for a button."""
    action = {name: button.body[name] for name in ("value", "style", "url") if name in button.body}
    return action | {
        "action_id": button.action_id,
        "block_id": button.block_id,
        "text": {"emoji": True} | button.body["text"],
        "type": "button",
        "action_ts": slack.world.next_ts(),
    }


def in_message(room: Room, stored: Stored, url: str) -> Body:
    """Where a press was: a message. Of an ephemeral one Slack does not send the content."""
    container: Body = {
        "type": "message",
        "message_ts": stored.ts,
        "channel_id": room.id,
        "is_ephemeral": stored.ephemeral_for is not None,
    }
    if stored.body.get("thread_ts"):
        container["thread_ts"] = stored.body["thread_ts"]
    body: Body = {
        "container": container,
        "channel": {"id": room.id, "name": room.payload_name},
        "state": {"values": {}},
        "response_url": url,
    }
    return body if stored.ephemeral_for else body | {"message": copy.deepcopy(stored.body)}


def in_view(view: Body) -> Body:
    """Where a press was: a modal or a Home tab."""
    return {"container": {"type": "view", "view_id": view["id"]}, "view": copy.deepcopy(view)}


def message_action(callback_id: str, room: Room, stored: Stored, url: str, ts: str) -> Body:
    """A message shortcut; Slack names the callback and the message."""
    return {
        "callback_id": callback_id,
        "action_ts": ts,
        "message_ts": stored.ts,
        "channel": {"id": room.id, "name": room.payload_name},
        "message": copy.deepcopy(stored.body),
        "response_url": url,
    }


def message(user: User, room: Room, ts: str, typed: Body, thread: str | None) -> Body:
    """A message of a person as it is stored; in events the conversation is added."""
    body: Body = {
        "user": user.id,
        "type": "message",
        "ts": ts,
        "client_msg_id": str(uuid.uuid4()),
        "team": user.team.id,
        **typed,
    }
    return body | ({"thread_ts": thread} if thread else {})


def link_shared(user: User, channel: str, ts: str, source: str, links: list[Body], member: bool) -> Body:
    """The app's domains are in a message, or in one that somebody is still typing."""
    return {
        "type": "link_shared",
        "channel": channel,
        "is_bot_user_member": member,
        "user": user.id,
        "message_ts": ts,
        "unfurl_id": f"{source}-{ts}" if source == "composer" else f"{channel}.{ts}.{uuid.uuid4().hex}",
        "source": source,
        "links": links,
        "event_ts": ts,
    }
