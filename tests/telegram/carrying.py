"""Methods that carry files: video, audio, documents, and the edit that turns a text into one."""

from typing import TYPE_CHECKING, Any

from tests.telegram.call import Call
from tests.telegram.contents import caption
from tests.telegram.files import MAX_DOWNLOAD_BYTES, Media
from tests.telegram.methods import apply_edit, method, send, to_edit
from tests.telegram.refusal import bad_request
from tests.telegram.rooms import Body

if TYPE_CHECKING:
    from tests.telegram.double import TelegramDouble

WORDS = {"video": "videos", "audio": "music", "document": "documents"}
EDITABLE_KINDS = ("animation", "audio", "document", "photo", "video")
ABOUT = ("duration", "width", "height", "title", "performer", "thumbnail")


def _content(media: Media, source: str, parse_mode: str, entities: Any) -> Body:
    text, found = caption(source, parse_mode, entities)
    content: Body = {media.kind: media.described()}
    return content | ({"caption": text} if text else {}) | ({"caption_entities": found} if found else {})


async def _send(telegram: "TelegramDouble", call: Call, kind: str) -> Body:
    telegram.files.check_size(call)
    about = {name: call.parameters.get(name) for name in ABOUT}
    caption(call.text("caption"), call.text("parse_mode"), call.json("caption_entities"))
    media = telegram.files.from_call(call, kind, call.parameters.get(kind), about)
    content = _content(media, call.text("caption"), call.text("parse_mode"), call.json("caption_entities"))
    return send(telegram, call, content, WORDS[kind])


@method("sendVideo")
async def send_video(telegram: "TelegramDouble", call: Call) -> Body:
    """A film that plays in the chat."""
    return await _send(telegram, call, "video")


@method("sendAudio")
async def send_audio(telegram: "TelegramDouble", call: Call) -> Body:
    """A sound that plays in the chat."""
    return await _send(telegram, call, "audio")


@method("sendDocument")
async def send_document(telegram: "TelegramDouble", call: Call) -> Body:
    """Any file."""
    return await _send(telegram, call, "document")


@method("editMessageMedia")
async def edit_message_media(telegram: "TelegramDouble", call: Call) -> Body:
    """A file in place of a text or of another file."""
    telegram.files.check_size(call)
    given = call.json("media")
    if not isinstance(given, dict):
        raise bad_request("media must be specified" if given is None else "InputMedia must be an Object")
    if given.get("type") not in EDITABLE_KINDS:
        raise bad_request("unsupported input media type specified")
    words = str(given.get("caption") or ""), str(given.get("parse_mode") or "")
    caption(*words, given.get("caption_entities"))
    to_edit(telegram, call)
    uploads = telegram.files.uploads
    media = telegram.files.from_call(call, given["type"], given.get("media"), given)
    content = _content(media, *words, given.get("caption_entities"))
    return apply_edit(telegram, call, content, is_new=telegram.files.uploads > uploads)


@method("getFile")
async def get_file(telegram: "TelegramDouble", call: Call) -> Body:
    """Where a file can be downloaded; a local server names its path on the disk instead."""
    media = telegram.files[call.text("file_id")]
    if media.size > MAX_DOWNLOAD_BYTES and not telegram.files.local:
        raise bad_request("file is too big")
    return {
        "file_id": media.file_id,
        "file_unique_id": media.unique_id,
        "file_size": media.size,
        "file_path": f"{media.kind}s/{media.file_id}",
    }
