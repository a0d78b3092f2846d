"""Brings the file itself into a message: what Telegram has already is not sent again."""

import asyncio
import logging
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from telegram import InputFile, InputMediaAudio, InputMediaDocument, InputMediaVideo, Message
from telegram.constants import ParseMode

from shared.chat.telegram.calls import Calls, Media
from shared.chat.telegram.markup import clean, cut
from shared.chat.telegram.parcels import Kind, Parcel, Shelf
from shared.chat.telegram.refusals import FileRefused
from shared.chat.telegram.render import Rows
from shared.chat.telegram.shapes import Shape, mp4_shape
from shared.chat.telegram.thumbnails import small_jpeg
from shared.errors import JobError
from shared.locks import Locks
from shared.storage import StorageError

log = logging.getLogger(__name__)

MOST_TITLE = 64  # UTF-16 units of a title in a player


class Carrier:
    """Puts parcels into messages. Who asks for the same file at the same time waits for the first upload."""

    def __init__(self, calls: Calls, shelf: Shelf) -> None:
        self._calls = calls
        self._shelf = shelf
        self._locks = Locks()  # one for each artifact

    async def bring(self, chat_id: str, message_id: str, parcel: Parcel, caption: str, buttons: Rows) -> bool:
        """Turn the message into the file; False when Telegram does not take it, or it is not kept."""
        try:
            async with self._locks.of(parcel.artifact.id):
                if not await self._again(chat_id, message_id, parcel, caption, buttons):
                    await self._upload(chat_id, message_id, parcel, caption, buttons)
        except (FileRefused, LookupError, StorageError, JobError, FileNotFoundError) as error:
            log.warning("artifact %s cannot be in message %s: %s", parcel.artifact.id, message_id, error)
            return False
        return True

    async def _again(
        self, chat_id: str, message_id: str, parcel: Parcel, caption: str, buttons: Rows
    ) -> bool:
        """Show what Telegram has already; False when it has it not."""
        file_id = await self._shelf.known(parcel.artifact.id)
        if file_id is None:
            return False
        try:
            await self._calls.put_file(chat_id, message_id, _media(parcel, file_id, caption), buttons)
        except FileRefused as refused:
            log.info("artifact %s is sent again: %s", parcel.artifact.id, refused)
            await self._shelf.forget(parcel.artifact.id)
            return False
        return True

    async def _upload(
        self, chat_id: str, message_id: str, parcel: Parcel, caption: str, buttons: Rows
    ) -> None:
        artifact = parcel.artifact
        async with self._shelf.at_hand(artifact.id) as path:
            with await asyncio.to_thread(path.open, "rb") as file:
                shape = await asyncio.to_thread(mp4_shape, file) if parcel.kind is Kind.VIDEO else None
                # an open file is sent block by block; read by the library, all of it would be in memory
                content = InputFile(file, artifact.file_name, attach=True, read_file_handle=False)
                media = _media(parcel, content, caption, shape, await self._thumbnail(parcel))
                sent = await self._calls.put_file(chat_id, message_id, media, buttons, artifact.size_bytes)
        file_id = _file_id(sent, parcel.kind)
        if file_id is not None:
            try:
                await self._shelf.remember(artifact.id, file_id)
            except (SQLAlchemyError, OSError) as error:
                log.warning("artifact %s will be sent again next time: %s", artifact.id, error)

    async def _thumbnail(self, parcel: Parcel) -> bytes | None:
        """The thumbnail, made small; None when there is none to be had."""
        if parcel.thumbnail is None:
            return None
        try:
            async with self._shelf.at_hand(parcel.thumbnail.id) as path:
                return await small_jpeg(path)
        except (LookupError, StorageError, JobError, OSError):
            return None


def _media(
    parcel: Parcel,
    media: InputFile | str,
    caption: str,
    shape: Shape | None = None,
    thumbnail: bytes | None = None,
) -> Media:
    """The file as Telegram wants it described; `media` is an open file or the id of one that it has."""
    about: dict[str, Any] = {"media": media, "caption": caption, "parse_mode": ParseMode.HTML}
    about["thumbnail"] = thumbnail
    if parcel.kind is Kind.DOCUMENT:
        return InputMediaDocument(**about, disable_content_type_detection=True)
    about["duration"] = round(parcel.seconds) if parcel.seconds else None
    if parcel.kind is Kind.AUDIO:
        return InputMediaAudio(**about, title=cut(clean(parcel.title), MOST_TITLE) or None)
    width, height = shape or (None, None)
    return InputMediaVideo(**about, width=width, height=height, supports_streaming=True)


def _file_id(sent: Message | None, kind: Kind) -> str | None:
    """Telegram's id of the file; None when it took it for another kind, which cannot be sent as this."""
    found = getattr(sent, kind, None)
    return found.file_id if found else None
