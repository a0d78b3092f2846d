"""chat.*: what the bot says, changes and takes back."""

import copy
import json
from typing import TYPE_CHECKING, Any

from tests.slack.blocks import check_message
from tests.slack.call import Body, Call
from tests.slack.methods import method, room_inside, room_of
from tests.slack.refusal import Refused, invalid_arguments
from tests.slack.rooms import Room, Stored

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

FLAGS = ("unfurl_links", "unfurl_media", "mrkdwn", "parse", "link_names", "reply_broadcast", "username")
LONGEST_TEXT = 4000  # documented for chat.update; chat.postMessage takes more only sometimes


@method("chat.postMessage", scope="chat:write")
async def post_message(slack: "SlackDouble", call: Call) -> Body:
    """A message in a conversation; a person's id stands for the direct message with the person."""
    user = slack.world.users.get(call.needed("channel"))
    if user is not None and user.team.id == call.token.team_id and not user.is_bot:
        room = slack.world.open(user.team, "im", "", [user.id, user.team.bot_user_id])
    else:
        room = room_inside(slack, call, scope="chat:write.public")
    if room.is_archived:
        raise Refused("is_archived")
    body = content(slack, call.parameters)
    metadata = read_metadata(call)
    if metadata:
        body["metadata"] = metadata
    thread = thread_of(room, call)
    if thread:
        body["thread_ts"] = thread
    stored = say(slack, room, body, {name: call.parameters.get(name) for name in FLAGS})
    return {"channel": room.id, "ts": stored.ts, "message": shown_to_app(stored)}


@method("chat.update", scope="chat:write")
async def update(slack: "SlackDouble", call: Call) -> Body:
    """Text without blocks removes the blocks; blocks without text leave the text for notifications empty."""
    room = room_of(slack, call)
    old = room.messages.get(call.needed("ts"))
    if old is None:
        raise Refused("message_not_found")
    if old.body.get("user") != room.team.bot_user_id:
        raise Refused("cant_update_message")
    if room.is_archived:
        raise Refused("is_archived")
    kept = {name: value for name, value in old.body.items() if name not in ("text", "blocks", "attachments")}
    given = {name for name in ("text", "blocks", "attachments") if call.parameters.get(name) is not None}
    if given:
        fresh = content(slack, call.parameters)
        if not {"attachments"} & given and old.body.get("attachments"):
            fresh["attachments"] = old.body["attachments"]
        body = kept | fresh
    else:
        body = copy.deepcopy(old.body)
    if "blocks" not in given and "text" in given:
        body["edited"] = {"user": room.team.bot_user_id, "ts": slack.world.next_ts()}
    if call.parameters.get("metadata") is not None:
        body["metadata"] = read_metadata(call)
        if not body["metadata"]:
            del body["metadata"]
    stored = room.keep(Stored(body, old.flags))
    slack.changed()
    slack.echo(room, {"subtype": "message_changed", "message": stored.body, "previous_message": old.body})
    return {"channel": room.id, "ts": stored.ts, "text": body["text"], "message": shown_to_app(stored)}


@method("chat.postEphemeral", scope="chat:write")
async def post_ephemeral(slack: "SlackDouble", call: Call) -> Body:
    """A message that only one person sees; it cannot be changed afterwards."""
    room = room_inside(slack, call)
    if call.needed("user") not in room.members:
        raise Refused("user_not_in_channel")
    body = content(slack, call.parameters)
    if thread_of(room, call):
        body["thread_ts"] = call.text("thread_ts")
    return {"message_ts": whisper(slack, room, call.text("user"), body).ts}


@method("chat.delete", scope="chat:write")
async def delete(slack: "SlackDouble", call: Call) -> Body:
    """A message of the bot goes."""
    room = room_of(slack, call)
    old = room.messages.get(call.needed("ts"))
    if old is None:
        raise Refused("message_not_found")
    if old.body.get("user") != room.team.bot_user_id:
        raise Refused("cant_delete_message")
    del room.messages[old.ts]
    slack.changed()
    slack.echo(room, {"subtype": "message_deleted", "deleted_ts": old.ts, "previous_message": old.body})
    return {"channel": room.id, "ts": old.ts}


@method("chat.getPermalink")
async def get_permalink(slack: "SlackDouble", call: Call) -> Body:
    """The address of a message for people."""
    room = room_of(slack, call)
    if call.needed("message_ts") not in room.messages:
        raise Refused("message_not_found")
    place = f"archives/{room.id}/p{call.text('message_ts').replace('.', '')}"
    return {"channel": room.id, "permalink": f"https://{room.team.domain}.slack.com/{place}"}


def content(slack: "SlackDouble", sent: dict[str, Any]) -> Body:
    """The text, blocks and attachments of a message, or what Slack says about them."""
    text = str(sent.get("text") or "")
    blocks = _decoded(sent.get("blocks"), "invalid_blocks_format")
    attachments = _decoded(sent.get("attachments"), "invalid_attachments")
    body: Body = {"text": text}
    if blocks:
        body["blocks"] = check_message(blocks, allow_local_urls=slack.allow_local_urls)
    if attachments:
        body["attachments"] = attachments
    if len(body) == 1 and not text:
        raise Refused("no_text")
    if len(text) > LONGEST_TEXT:
        raise Refused("msg_too_long")
    return body


def say(slack: "SlackDouble", room: Room, body: Body, flags: Body | None = None) -> Stored:
    """The bot's message appears."""
    whole = signed(slack, room) | body
    stored = room.keep(Stored(whole, {name: one for name, one in (flags or {}).items() if one is not None}))
    slack.changed()
    slack.echo(room, whole)
    return stored


def whisper(slack: "SlackDouble", room: Room, user_id: str, body: Body) -> Stored:
    """The bot's message appears for one person."""
    stored = Stored(signed(slack, room) | body, ephemeral_for=user_id)
    room.ephemerals[user_id].append(stored)
    room.keep(stored)
    slack.changed()
    return stored


def signed(slack: "SlackDouble", room: Room) -> Body:
    """What every message of the bot has."""
    return {
        "type": "message",
        "user": room.team.bot_user_id,
        "bot_id": room.team.bot_id,
        "app_id": slack.app_id,
        "team": room.team.id,
        "ts": slack.world.next_ts(),
    }


def thread_of(room: Room, call: Call) -> str | None:
    """The thread to answer in. Slack silently leaves the thread when its first message is not there."""
    thread = call.parameters.get("thread_ts")
    if thread is None or thread == "":
        return None
    if not isinstance(thread, str):
        raise invalid_arguments("must provide a string [json-pointer:/thread_ts]")
    parent = room.messages.get(thread)
    return None if parent is None or parent.body.get("thread_ts", thread) != thread else thread


def read_metadata(call: Call) -> Body | None:
    """The metadata in a call, or what Slack says about it."""
    metadata = call.json("metadata", "invalid_metadata_format")
    if not metadata:
        return None
    if not isinstance(metadata, dict) or set(metadata) != {"event_type", "event_payload"}:
        raise Refused("invalid_metadata_format")
    if not isinstance(metadata["event_type"], str) or not isinstance(metadata["event_payload"], dict):
        raise Refused("invalid_metadata_schema")
    if len(json.dumps(metadata)) > 16_000:
        raise Refused("metadata_too_large")
    return metadata


def shown_to_app(stored: Stored, *, metadata: bool = True) -> Body:
    """The message in an answer."""
    return {name: one for name, one in stored.body.items() if metadata or name != "metadata"}


def _decoded(value: Any, error: str) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value else None
    except ValueError:
        raise Refused(error) from None
