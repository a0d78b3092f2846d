"""Files: an address to upload to, the upload, and the share that completes it."""

import html
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.slack.call import Body, Call
from tests.slack.methods import method, room_inside
from tests.slack.refusal import Refused, invalid_arguments
from tests.slack.rooms import Room
from tests.slack.speaking import LONGEST_TEXT, say, thread_of

if TYPE_CHECKING:
    from tests.slack.double import SlackDouble

_CHANNEL_ID = re.compile(r"^[CGDZ][A-Z0-9]{8,}$")


@dataclass
class Upload:
    """A file from the address for it to the share; `content` is None until it is uploaded."""

    id: str
    name: str
    length: int
    team_id: str
    alt_text: str = ""
    content: bytes | None = None
    title: str = ""
    is_complete: bool = False


@method("files.getUploadURLExternal", scope="files:write")
async def get_upload_url(slack: "SlackDouble", call: Call) -> Body:
    """Where to upload a file of this name and length."""
    name, length = call.needed("filename"), call.integer("length", 0)
    if length <= 0:
        raise invalid_arguments("must be more than 0 [json-pointer:/length]")
    upload = Upload(slack.world.new_id("F"), name, length, call.token.team_id, call.text("alt_txt"))
    slack.uploads[upload.id] = upload
    return {"file_id": upload.id, "upload_url": f"{slack.url}/upload/v1/{upload.id}"}


def receive(slack: "SlackDouble", file_id: str, content: bytes) -> str:
    """The bytes of a file; the text of the answer."""
    upload = slack.uploads.get(file_id)
    if upload is None or upload.is_complete:
        raise Refused("file_not_found", status=404)
    if len(content) != upload.length:
        raise Refused("length_mismatch", status=400)
    upload.content = content
    return f"OK - {len(content)}"


@method("files.completeUploadExternal", scope="files:write")
async def complete_upload(slack: "SlackDouble", call: Call) -> Body:
    """The files appear in a conversation, or nowhere without one. A channel's name is no id."""
    asked = call.json("files")
    if not isinstance(asked, list) or not asked:
        raise invalid_arguments("missing required field: files")
    room = None
    if call.text("channel_id"):
        if not _CHANNEL_ID.match(call.text("channel_id")):
            problem = f"input must match regex pattern: {_CHANNEL_ID.pattern} [json-pointer:/channel_id]"
            raise invalid_arguments(problem)
        room = room_inside(slack, call, "channel_id", "chat:write.public")
        if room.is_archived:
            raise Refused("is_archived")
    uploads = [_uploaded(slack, call, one) for one in asked]
    for upload, one in zip(uploads, asked, strict=True):
        upload.title, upload.is_complete = one.get("title") or upload.name, True
    described = [_described(slack, one) for one in uploads]
    if room is not None:
        _share(slack, call, room, described)
    return {"files": described}


def _uploaded(slack: "SlackDouble", call: Call, asked: Body) -> Upload:
    upload = slack.uploads.get(asked.get("id", ""))
    if upload is None or upload.content is None or upload.team_id != call.token.team_id:
        raise Refused("file_not_found")
    if upload.is_complete:
        raise Refused("file_already_completed")
    return upload


def _share(slack: "SlackDouble", call: Call, room: Room, files: list[Body]) -> None:
    if len(call.text("initial_comment")) > LONGEST_TEXT:
        raise Refused("msg_too_long")
    body: Body = {"text": call.text("initial_comment"), "files": files, "subtype": "file_share"}
    thread = thread_of(room, call)
    say(slack, room, body | ({"thread_ts": thread} if thread else {}))


def _described(slack: "SlackDouble", upload: Upload) -> Body:
    kind = upload.name.rpartition(".")[2]
    return {
        "id": upload.id,
        "name": upload.name,
        "title": html.unescape(upload.title),
        "filetype": kind,
        "mode": "hosted",
        "size": upload.length,
        "user": slack.world.teams[upload.team_id].bot_user_id,
        "permalink": f"https://{slack.team.domain}.slack.com/files/{upload.id}/{upload.name}",
        "url_private": f"{slack.url}/files-pri/{upload.id}/{upload.name}",
        "alt_txt": upload.alt_text,
    }
