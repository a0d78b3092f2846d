"""Methods that write texts: send, edit, delete."""

from typing import TYPE_CHECKING, Any

from tests.telegram.call import Call
from tests.telegram.contents import caption, message_text
from tests.telegram.methods import apply_edit, method, send, to_edit
from tests.telegram.refusal import bad_request
from tests.telegram.rooms import Body

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble

DELETABLE_FOR = 48 * 3600  # seconds
ACTIONS = {"typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice"}
ACTIONS |= {"upload_document", "choose_sticker", "find_location", "record_video_note", "upload_video_note"}


def _texts(call: Call, *, is_edit: bool) -> Body:
    text, entities = message_text(call, is_edit=is_edit)
    content: Body = {"text": text}
    if entities:
        content["entities"] = entities
    options = call.json("link_preview_options")
    if options:
        content["link_preview_options"] = options
    return content


@method("sendMessage")
async def send_message(telegram: "TelegramDouble", call: Call) -> Any:
    """A new text."""
    return send(telegram, call, _texts(call, is_edit=False))


@method("editMessageText")
async def edit_message_text(telegram: "TelegramDouble", call: Call) -> Any:
    """Another text in place of the old one."""
    content = _texts(call, is_edit=True)
    _, body = to_edit(telegram, call)
    if "text" not in body:
        raise bad_request("there is no text in the message to edit")
    return apply_edit(telegram, call, content)


@method("editMessageCaption")
async def edit_message_caption(telegram: "TelegramDouble", call: Call) -> Any:
    """Another caption under the same file."""
    text, entities = caption(call.text("caption"), call.text("parse_mode"), call.json("caption_entities"))
    _, body = to_edit(telegram, call)
    if "text" in body:
        raise bad_request("there is no caption in the message to edit")
    content = {name: value for name, value in body.items() if name not in ("caption", "caption_entities")}
    content.pop("reply_markup", None)
    content |= ({"caption": text} if text else {}) | ({"caption_entities": entities} if entities else {})
    return apply_edit(telegram, call, content)


@method("editMessageReplyMarkup")
async def edit_message_reply_markup(telegram: "TelegramDouble", call: Call) -> Any:
    """Other buttons under the same message, or none."""
    _, body = to_edit(telegram, call)
    content = {name: value for name, value in body.items() if name != "reply_markup"}
    return apply_edit(telegram, call, content)


@method("deleteMessage")
async def delete_message(telegram: "TelegramDouble", call: Call) -> bool:
    """Take a message away for everybody."""
    room = telegram.rooms.find(call.text("chat_id"))
    room.check_access()
    body = room.messages.get(call.integer("message_id") or 0)
    if body is None:
        raise bad_request("message to delete not found")
    is_own = body.get("from", {}).get("id") == telegram.me.id
    if not is_own and room.kind != "private" and room.bot_status != "administrator":
        raise bad_request("message can't be deleted")
    if telegram.rooms.now() - body["date"] > DELETABLE_FOR:
        raise bad_request("message can't be deleted for everyone")
    room.remove(body["message_id"])
    return True


@method("sendChatAction")
async def send_chat_action(telegram: "TelegramDouble", call: Call) -> bool:
    """Shows for five seconds that the bot is busy."""
    room = telegram.rooms.find(call.text("chat_id"))
    if call.text("action") not in ACTIONS:
        raise bad_request("wrong parameter action in request")
    room.check_access()
    room.actions.append({"action": call.text("action"), "thread": call.integer("message_thread_id")})
    return True
