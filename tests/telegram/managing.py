"""Methods about the bot itself, its updates, its presses and the chats it is in."""

import re
from typing import TYPE_CHECKING

from tests.telegram import utf16
from tests.telegram.call import Call
from tests.telegram.methods import method
from tests.telegram.refusal import bad_request
from tests.telegram.rooms import Body, Room
from tests.telegram.updates import Update, Webhook

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble

MAX_ANSWER = 200
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
ADMIN_RIGHTS = (
    *("can_be_edited", "can_manage_chat", "can_change_info", "can_delete_messages", "can_invite_users"),
    *("can_restrict_members", "can_pin_messages", "can_manage_topics", "can_promote_members"),
    *("can_manage_video_chats", "can_post_stories", "can_edit_stories", "can_delete_stories"),
    "is_anonymous",
)


@method("getMe")
async def get_me(telegram: "TelegramDouble", call: Call) -> Body:
    """The bot; privacy mode is on."""
    return telegram.me.described() | {
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


@method("getUpdates")
async def get_updates(telegram: "TelegramDouble", call: Call) -> list[Update]:
    """Long polling."""
    telegram.updates.allow(call.json("allowed_updates"))
    return await telegram.updates.take(
        call.integer("offset") or 0, call.integer("limit") or 100, call.integer("timeout") or 0
    )


@method("setWebhook")
async def set_webhook(telegram: "TelegramDouble", call: Call) -> bool:
    """Push updates from now on; an empty address is deleteWebhook."""
    url, secret = call.text("url"), call.text("secret_token")
    if url and not url.startswith("https://") and not (telegram.allow_http and url.startswith("http://")):
        raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
    if len(secret) > 256:
        raise bad_request("secret token is too long")
    if not re.fullmatch(r"[A-Za-z0-9_-]*", secret):
        raise bad_request("secret token contains unallowed characters")
    telegram.updates.allow(call.json("allowed_updates"))
    _drop_pending(telegram, call)
    webhook = Webhook(url, secret, call.integer("max_connections") or 40) if url else None
    await telegram.updates.set_webhook(webhook)
    return True


@method("deleteWebhook")
async def delete_webhook(telegram: "TelegramDouble", call: Call) -> bool:
    """Back to getUpdates."""
    _drop_pending(telegram, call)
    await telegram.updates.set_webhook(None)
    return True


def _drop_pending(telegram: "TelegramDouble", call: Call) -> None:
    if call.flag("drop_pending_updates"):
        telegram.updates.dropped = True
        telegram.updates.pending.clear()


@method("getWebhookInfo")
async def get_webhook_info(telegram: "TelegramDouble", call: Call) -> Body:
    """How pushing goes."""
    updates = telegram.updates
    info: Body = {
        "url": "",
        "has_custom_certificate": False,
        "pending_update_count": len(updates.pending),
    }
    if updates.allowed:
        info["allowed_updates"] = sorted(updates.allowed)
    if updates.webhook is not None:
        info |= {"url": updates.webhook.url, "max_connections": updates.webhook.max_connections}
        if updates.webhook.last_error is not None:
            date, words = updates.webhook.last_error
            info |= {"last_error_date": int(date), "last_error_message": words}
    return info


@method("setMyCommands")
async def set_my_commands(telegram: "TelegramDouble", call: Call) -> bool:
    """The commands that people see in the menu of these chats."""
    commands = call.json("commands") or []
    if len(commands) > 100:
        raise bad_request("BOT_COMMANDS_TOO_MUCH")
    for one in commands:
        if not re.fullmatch(r"/?[a-z0-9_]{1,32}", str(one.get("command"))):
            raise bad_request("BOT_COMMAND_INVALID")
        if not 1 <= utf16.length(str(one.get("description") or "")) <= 256:
            raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
    telegram.commands[_scope(call)] = commands
    return True


@method("getMyCommands")
async def get_my_commands(telegram: "TelegramDouble", call: Call) -> list[Body]:
    """The commands set for exactly this scope and language."""
    return telegram.commands.get(_scope(call), [])


@method("deleteMyCommands")
async def delete_my_commands(telegram: "TelegramDouble", call: Call) -> bool:
    """Back to the wider scope's commands."""
    telegram.commands.pop(_scope(call), None)
    return True


def _scope(call: Call) -> tuple[str, str]:
    """`default`, `chat:17` and so on, with the language code."""
    scope = call.json("scope") or {"type": "default"}
    parts = [str(scope[name]) for name in ("type", "chat_id", "user_id") if name in scope]
    return ":".join(parts), call.text("language_code")


@method("answerCallbackQuery")
async def answer_callback_query(telegram: "TelegramDouble", call: Call) -> bool:
    """The answer to a press: it ends the button's spinner and may show a text."""
    press = telegram.presses.get(call.text("callback_query_id"))
    text = call.text("text")
    if utf16.length(text) > MAX_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    if press is None or telegram.clock() - press.time > telegram.callback_patience:
        raise bad_request(TOO_OLD)
    if call.text("url") and not call.text("url").startswith(("https://t.me/", "tg://")):
        raise bad_request("URL_INVALID")
    if press.answer is None:
        press.answer = text
        press.is_alert = call.flag("show_alert")
        telegram.changed()
    return True


@method("getChat")
async def get_chat(telegram: "TelegramDouble", call: Call) -> Body:
    """What is known about a chat."""
    room = telegram.rooms.find(call.text("chat_id"))
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"),
        True,
    )
    return room.described() | {
        "accent_color_id": 3,
        "max_reaction_count": 11,
        "accepted_gift_types": gifts,
    }


@method("getChatMember")
async def get_chat_member(telegram: "TelegramDouble", call: Call) -> Body:
    """What somebody is in a chat."""
    room = telegram.rooms.find(call.text("chat_id"))
    room.check_access()
    user_id = call.integer("user_id") or 0
    if user_id not in telegram.rooms.users:
        raise bad_request("user not found")
    return member(telegram, room, user_id)


@method("getChatAdministrators")
async def get_chat_administrators(telegram: "TelegramDouble", call: Call) -> list[Body]:
    """Those who may manage a chat; of the bots only this one."""
    room = telegram.rooms.find(call.text("chat_id"))
    if room.kind == "private":
        raise bad_request("there are no administrators in the private chat")
    room.check_access()
    found = [one for one, status in room.members.items() if status in ("creator", "administrator")]
    if room.bot_status == "administrator":
        found.append(telegram.me.id)
    return [member(telegram, room, one) for one in found]


def member(telegram: "TelegramDouble", room: Room, user_id: int) -> Body:
    """The ChatMember object."""
    is_me = user_id == telegram.me.id
    status = room.bot_status if is_me else room.members.get(user_id, "left")
    found: Body = {"user": telegram.rooms.users[user_id].described(), "status": status}
    if status == "creator":
        found["is_anonymous"] = False
    elif status == "administrator":
        found |= {right: right != "is_anonymous" for right in ADMIN_RIGHTS}
    elif status == "kicked":
        found["until_date"] = 0
    return found


@method("leaveChat")
async def leave_chat(telegram: "TelegramDouble", call: Call) -> bool:
    """The bot goes."""
    room = telegram.rooms.find(call.text("chat_id"))
    if room.kind == "private":
        raise bad_request("chat member status can't be changed in private chats")
    room.check_access()
    room.bot_status = "left"
    room.changed()
    return True
