"""The table of methods, and what sending and editing have in common."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from tests.telegram.call import Call
from tests.telegram.contents import keyboard
from tests.telegram.refusal import bad_request
from tests.telegram.rooms import Body, Room

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble

Method = Callable[["TelegramDouble", Call], Awaitable[Any]]

METHODS: dict[str, Method] = {}

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a"
    " current content and reply markup of the message"
)
COMPARED = ("text", "entities", "caption", "caption_entities", "reply_markup")


def method(name: str) -> Callable[[Method], Method]:
    """The function answers calls of this method; Telegram does not look at the case of its name."""

    def register(function: Method) -> Method:
        METHODS[name.lower()] = function
        return function

    return register


def send(telegram: "TelegramDouble", call: Call, content: Body, what: str = "text messages") -> Body:
    """Put a new message of the bot into the chat that the call names."""
    room = telegram.rooms.find(call.text("chat_id"))
    markup = markup_of(telegram, call)
    room.check_access()
    replied, thread = _reply(call, room)
    room.check_topic(thread)
    room.check_writing(what)
    telegram.limits.spend(room.id)
    body: Body = {
        "message_id": next(room.ids),
        "from": telegram.me.described(),
        "chat": room.described(),
        "date": telegram.rooms.now(),
        **content,
    }
    if replied is not None:
        body["reply_to_message"] = without_reply(replied)
    if thread is not None:
        body |= {"message_thread_id": thread, "is_topic_message": True}
    if markup is not None:
        body["reply_markup"] = markup
    return room.put(body)


def _reply(call: Call, room: Room) -> tuple[Body | None, int | None]:
    """The message replied to and the topic: the one named, else the one of the message replied to."""
    parameters = call.json("reply_parameters") or {}
    thread = call.integer("message_thread_id")
    message_id = parameters.get("message_id") or call.integer("reply_to_message_id")
    if message_id is None:
        return None, thread
    replied = room.messages.get(int(message_id))
    forgiving = parameters.get("allow_sending_without_reply") or call.flag("allow_sending_without_reply")
    if replied is None and not forgiving:
        raise bad_request("message to be replied not found")
    if replied is not None and thread is None and replied.get("is_topic_message"):
        thread = replied["message_thread_id"]
    return replied, thread


def without_reply(body: Body) -> Body:
    """A message inside another one does not carry a third."""
    return {name: value for name, value in body.items() if name != "reply_to_message"}


def markup_of(telegram: "TelegramDouble", call: Call) -> Body | None:
    """The inline keyboard of the call, checked."""
    return keyboard(call, allow_local_urls=telegram.allow_local_urls)


def to_edit(telegram: "TelegramDouble", call: Call) -> tuple[Room, Body]:
    """The chat and the message that an edit names."""
    if call.text("inline_message_id"):
        raise bad_request("MESSAGE_ID_INVALID")
    room = telegram.rooms.find(call.text("chat_id"))
    message_id = call.integer("message_id")
    if message_id is None:
        raise bad_request("message identifier is not specified")
    room.check_access()
    body = room.messages.get(message_id)
    if body is None:
        raise bad_request("message to edit not found")
    if body.get("from", {}).get("id") != telegram.me.id:
        raise bad_request("message can't be edited")
    return room, body  # in a closed topic as well: the refusal is known for new messages only


def apply_edit(telegram: "TelegramDouble", call: Call, content: Body, *, is_new: bool = False) -> Body:
    """Give a message new content; without `reply_markup` its buttons go. `is_new`: with a new file."""
    room, body = to_edit(telegram, call)
    telegram.limits.spend(room.id)
    markup = markup_of(telegram, call)
    kept = ("message_id", "from", "chat", "date", "reply_to_message", "message_thread_id", "is_topic_message")
    edited = {name: body[name] for name in kept if name in body} | content
    if markup is not None:
        edited["reply_markup"] = markup
    if not is_new and fingerprint(edited) == fingerprint(body):
        raise bad_request(NOT_MODIFIED)
    return room.put(edited | {"edit_date": telegram.rooms.now()})


def fingerprint(body: Body) -> Any:
    """What two states of a message must share for an edit to change nothing."""
    files = [
        one["file_unique_id"] for one in body.values() if isinstance(one, dict) and "file_unique_id" in one
    ]
    return [body.get(name) or None for name in COMPARED] + files
