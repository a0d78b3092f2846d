"""Privacy mode: what a bot that is no administrator hears of a group's talk."""

from tests.telegram import entities as found
from tests.telegram.rooms import Body, Room, User

CONTENT = {"text", "photo", "document"}


def reaches_bot(room: Room, body: Body, me: User) -> bool:
    """Commands, mentions, replies to the bot or to what was meant for it, and service messages."""
    if room.bot_status in ("kicked", "left") or room.blocked:
        return False
    if not CONTENT & set(body):
        return True
    is_meant = _is_meant(room, body, me)
    if is_meant:
        room.meant_for_bot.add(body["message_id"])
    return is_meant or room.kind in ("private", "channel") or room.bot_status == "administrator"


def _is_meant(room: Room, body: Body, me: User) -> bool:
    replied = body.get("reply_to_message", {})
    if replied.get("from", {}).get("id") == me.id or replied.get("message_id") in room.meant_for_bot:
        return True
    text: str = body.get("text") or body.get("caption", "")
    name = f"@{me.username}".lower()
    for one in body.get("entities") or body.get("caption_entities", []):
        words = found.value(text, one).lower()
        if one["type"] == "bot_command" and ("@" not in words or words.endswith(name)):
            return True
        if one["type"] == "mention" and words == name:
            return True
    return False
