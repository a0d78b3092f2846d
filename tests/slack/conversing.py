"""conversations.* and users.*: what the bot can look up."""

from typing import TYPE_CHECKING, Any

from tests.slack.call import Body, Call
from tests.slack.methods import method, room_inside, room_of
from tests.slack.refusal import Refused
from tests.slack.rooms import Room, Stored
from tests.slack.speaking import shown_to_app

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

_PREFIX = {"channel": "channels", "group": "groups", "im": "im"}


def _may(call: Call, room: Room, what: str) -> None:
    call.require(f"{_PREFIX[room.kind]}:{what}")


@method("conversations.info")
async def conversations_info(slack: "SlackDouble", call: Call) -> Body:
    """A conversation."""
    room = room_of(slack, call)
    _may(call, room, "read")
    return {"channel": room.described()}


@method("conversations.open", scope="im:write")
async def conversations_open(slack: "SlackDouble", call: Call) -> Body:
    """The direct message of the bot with one person."""
    user = slack.world.users.get(call.needed("users"))
    if user is None or user.team.id != call.token.team_id:
        raise Refused("user_not_found")
    if user.is_bot:
        raise Refused("cannot_dm_bot")
    room = slack.world.open(user.team, "im", "", [user.id, user.team.bot_user_id])
    return {"channel": room.described() if call.flag("return_im") else {"id": room.id}}


@method("conversations.history")
async def conversations_history(slack: "SlackDouble", call: Call) -> Body:
    """The messages of a conversation, newest first, without the replies in threads."""
    room = room_of(slack, call)
    _may(call, room, "history")
    room = room_inside(slack, call)
    found = [
        _threaded(room, one, call)
        for one in reversed(room.messages.values())
        if one.body.get("thread_ts", one.ts) == one.ts or one.flags.get("reply_broadcast")
    ]
    return _page(call, "messages", _between(call, found), 100)


@method("conversations.replies")
async def conversations_replies(slack: "SlackDouble", call: Call) -> Body:
    """A thread, oldest first, with the message that it is about."""
    room = room_of(slack, call)
    _may(call, room, "history")
    room = room_inside(slack, call)
    if call.needed("ts") not in room.messages:
        raise Refused("thread_not_found")
    found = [_threaded(room, one, call) for one in room.thread(call.text("ts"))]
    return _page(call, "messages", _between(call, found), 1000)


@method("conversations.members")
async def conversations_members(slack: "SlackDouble", call: Call) -> Body:
    """The ids of who is in a conversation."""
    room = room_of(slack, call)
    _may(call, room, "read")
    return _page(call, "members", list(room.members), 100)


@method("users.info", scope="users:read")
async def users_info(slack: "SlackDouble", call: Call) -> Body:
    """A person, also a guest in a shared channel. Whether somebody is an admin, at home, is here."""
    user = slack.world.users.get(call.needed("user"))
    rooms = [one for one in slack.world.rooms.values() if one.team.id == call.token.team_id]
    if user is None or (
        user.team.id != call.token.team_id and not any(user.id in one.members for one in rooms)
    ):
        raise Refused("user_not_found")
    described = {
        "id": user.id,
        "team_id": user.team.id,
        "name": user.login,
        "real_name": user.name,
        "deleted": False,
        "tz": "Europe/Amsterdam",
        "profile": {"real_name": user.name, "display_name": user.name, "team": user.team.id},
        "is_admin": user.is_admin,
        "is_owner": user.is_owner,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_bot": user.is_bot,
        "is_app_user": False,
    }
    return {"user": described}


@method("users.conversations")
async def users_conversations(slack: "SlackDouble", call: Call) -> Body:
    """The conversations in which the bot is, or in which the bot and a person are."""
    kinds = {"public_channel": "channel", "private_channel": "group", "im": "im"}
    asked = [kinds[one] for one in (call.text("types") or "public_channel").split(",") if one in kinds]
    for kind in asked:
        call.require(f"{_PREFIX[kind]}:read")
    team = slack.world.teams[call.token.team_id]
    who = {team.bot_user_id, call.text("user") or team.bot_user_id}
    found = [
        room.described()
        for room in slack.world.rooms.values()
        if room.kind in asked and who <= set(room.members) and room.team is team
        if not (room.is_archived and call.flag("exclude_archived"))
    ]
    return _page(call, "channels", found, 100)


def _threaded(room: Room, stored: Stored, call: Call) -> Body:
    body = shown_to_app(stored, metadata=call.flag("include_all_metadata"))
    replies = [one for one in room.thread(stored.ts) if one.ts != stored.ts]
    if replies:
        body |= {"thread_ts": stored.ts, "reply_count": len(replies), "latest_reply": replies[-1].ts}
    return body


def _between(call: Call, messages: list[Body]) -> list[Body]:
    oldest, latest = call.text("oldest") or "0", call.text("latest") or "9999999999"
    ends = {oldest, latest} if call.flag("inclusive") else set()
    return [one for one in messages if float(oldest) < float(one["ts"]) < float(latest) or one["ts"] in ends]


def _page(call: Call, name: str, found: list[Any], usual: int) -> Body:
    limit = min(call.integer("limit", usual), 999 if usual == 100 else 1000)
    try:
        start = int((call.text("cursor") or "next:0").removeprefix("next:"))
    except ValueError:
        raise Refused("invalid_cursor") from None
    more = len(found) > start + limit
    cursor = f"next:{start + limit}" if more else ""
    answer = {name: found[start : start + limit], "response_metadata": {"next_cursor": cursor}}
    return answer | ({"has_more": more} if name == "messages" else {})
