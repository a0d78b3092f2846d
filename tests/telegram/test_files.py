"""Files, as the double takes and gives them."""

from pathlib import Path

import httpx
import pytest
from telegram import Bot, InputMediaAudio, InputMediaDocument, InputMediaVideo
from telegram.error import BadRequest, NetworkError

from tests.telegram.conftest import bot_of
from tests.telegram.double import TelegramDouble
from tests.telegram.people import Private

JPEG = b"\xff\xd8\xff\xe0 a small picture"


async def test_a_status_message_becomes_the_video(bot: Bot, chat: Private) -> None:
    status = await bot.send_message(chat.id, "Downloading")
    film = InputMediaVideo(
        b"film",
        caption="<b>Done</b>",
        parse_mode="HTML",
        duration=7,
        width=64,
        height=36,
        filename="a film ☃.mp4",
        thumbnail=JPEG,
    )
    await bot.edit_message_media(film, chat.id, status.message_id)
    (done,) = chat.messages
    assert done.message_id == status.message_id and done.html == "<b>Done</b>" and done.media is not None
    media = done.media
    assert (media.kind, media.name, media.content) == ("video", "a film ☃.mp4", b"film")
    assert (media.duration, media.width, media.height, media.thumbnail) == (7, 64, 36, JPEG)
    with pytest.raises(BadRequest, match="There is no text in the message to edit"):
        await bot.edit_message_text("x", chat.id, status.message_id)
    await bot.edit_message_caption(chat.id, status.message_id, caption="Yes")
    assert chat.messages[0].text == "Yes" and chat.messages[0].media == media


async def test_a_file_id_sends_the_same_file_again(telegram: TelegramDouble, bot: Bot, chat: Private) -> None:
    message = await bot.send_audio(
        chat.id, b"sound", filename="a.mp3", title="Song", performer="Ann", duration=3
    )
    assert message.audio is not None and message.audio.title == "Song"
    again = await bot.send_audio(chat.id, message.audio.file_id)
    status = await bot.send_message(chat.id, "x")
    audio = InputMediaAudio(message.audio.file_id)
    await bot.edit_message_media(audio, chat.id, status.message_id)
    with pytest.raises(BadRequest, match="Message is not modified"):
        await bot.edit_message_media(audio, chat.id, status.message_id)
    assert again.audio == message.audio and telegram.files.uploads == 1
    with pytest.raises(BadRequest, match="Can't use file of type audio as video"):
        await bot.send_video(chat.id, message.audio.file_id)
    with pytest.raises(BadRequest, match="Wrong remote file identifier specified"):
        await bot.send_video(chat.id, "no-such-file")


async def test_what_does_not_play_in_the_chat_arrives_as_a_document(bot: Bot, chat: Private) -> None:
    message = await bot.send_video(chat.id, b"film", filename="film.webm")
    assert message.video is None and message.document is not None
    await bot.edit_message_media(InputMediaDocument(b"x", filename="a.srt"), chat.id, message.message_id)
    assert [one.media.name for one in chat.messages if one.media] == ["a.srt"]


async def test_captions_have_their_own_limit(bot: Bot, chat: Private) -> None:
    await bot.send_document(chat.id, b"x", caption="🎬" * 512)
    status = await bot.send_message(chat.id, "x")
    with pytest.raises(BadRequest, match="Message caption is too long"):
        await bot.send_document(chat.id, b"x", caption="🎬" * 512 + "x")
    with pytest.raises(BadRequest, match="Message caption is too long"):
        media = InputMediaDocument(b"x", caption="x" * 1025)
        await bot.edit_message_media(media, chat.id, status.message_id)
    with pytest.raises(BadRequest, match="Can't parse entities"):
        await bot.send_document(chat.id, b"x", caption="<b>", parse_mode="HTML")


async def test_uploads_are_limited(chat: Private, telegram: TelegramDouble, bot: Bot) -> None:
    telegram.files.max_upload = 1000
    await bot.send_document(chat.id, b"x" * 1000)
    with pytest.raises(NetworkError, match="Request Entity Too Large"):
        await bot.send_document(chat.id, b"x" * 1001)
    with pytest.raises(BadRequest, match="File must be non-empty"):
        await bot.send_document(chat.id, b"")


async def test_a_bad_thumbnail_is_dropped_in_silence(bot: Bot, chat: Private) -> None:
    await bot.send_video(chat.id, b"film", filename="a.mp4", thumbnail=b"not a JPEG")
    await bot.send_video(chat.id, b"film", filename="a.mp4", thumbnail=JPEG + b"x" * 200_000)
    assert [one.media.thumbnail for one in chat.messages if one.media] == [None, None]


async def test_the_bot_gets_what_people_send(bot: Bot, chat: Private) -> None:
    await chat.sends("look", photo=JPEG)
    (update,) = await bot.get_updates()
    assert update.message is not None and update.message.caption == "look"
    file = await bot.get_file(update.message.photo[-1].file_id)
    assert await file.download_as_bytearray() == JPEG


async def test_a_local_server_reads_files_itself(tmp_path: Path) -> None:
    film = tmp_path / "a film.mp4"
    film.write_bytes(b"film")
    async with TelegramDouble(local=True) as telegram:
        chat = telegram.private(telegram.user("Ann"))
        async with bot_of(telegram, local_mode=True) as bot:
            await bot.send_video(chat.id, film)
        assert chat.messages[0].media is not None and chat.messages[0].media.content == b"film"
        assert telegram.files.max_upload == 2000 * 1024 * 1024


async def test_only_a_local_server_reads_files_itself(
    telegram: TelegramDouble, bot: Bot, chat: Private
) -> None:
    async with httpx.AsyncClient(timeout=60) as client:
        call = {"chat_id": chat.id, "video": "file:///etc/hostname"}
        answer = await client.post(f"{telegram.url}/bot{telegram.token}/sendVideo", json=call)
    words = "Bad Request: invalid file HTTP URL specified: URL host is empty"
    assert answer.json() == {"ok": False, "error_code": 400, "description": words}
    with pytest.raises(BadRequest, match="Failed to get http url content"):
        await bot.send_video(chat.id, "https://example.com/a.mp4")
