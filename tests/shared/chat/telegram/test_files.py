"""The result in the message itself: film, sound or transcript, sent once, or a link when it cannot be."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import run

import pytest
from telegram.error import NetworkError, TimedOut

from shared.chat.port import MessageGone, Throttled
from shared.chat.telegram import calls, client
from shared.chat.telegram.carrier import Carrier
from shared.chat.telegram.client import NOT_TAKEN, STUBBORN, TelegramClient
from shared.chat.telegram.render import NO_PUBLIC_URL
from shared.errors import Code, JobError
from shared.models import Artifact, ArtifactKind, JobState, Request
from shared.settings import Settings
from shared.storage import LocalStorage
from tests.shared.chat.telegram.conftest import Desk, media_of
from tests.shared.chat.telegram.views import a_view
from tests.telegram.people import Chat
from tests.telegram.shown import Shown


def made(path: Path, *options: str) -> bytes:
    """What ffmpeg makes of its test picture."""
    source = ("-f", "lavfi", "-i", "testsrc=duration=1:size=320x180:rate=5")
    run(["ffmpeg", "-v", "error", "-y", *source, *options, path], check=True)
    return path.read_bytes()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("film") / "film.mp4", "-pix_fmt", "yuv420p")


@pytest.fixture(scope="module")
def picture(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made(tmp_path_factory.mktemp("picture") / "picture.jpg", "-frames:v", "1")


@pytest.fixture
def chat(desk: Desk) -> Chat:
    return desk.telegram.private(desk.telegram.user("Ann"))


async def a_film(desk: Desk, content: bytes, form: str = "mp4") -> Artifact:
    return await desk.stored(ArtifactKind.VIDEO, form, content, height=180, duration=79.6)


async def film_asked_for(desk: Desk, chat: Chat, content: bytes = b"film", **about: object) -> Request:
    return await desk.asks(chat, await desk.job(await a_film(desk, content)), **about)


def only(chat: Chat) -> Shown:
    (shown,) = chat.messages
    return shown


async def test_the_message_becomes_a_film_that_plays(
    desk: Desk, chat: Chat, film: bytes, picture: bytes
) -> None:
    small = await desk.stored(ArtifactKind.THUMBNAIL, "jpg", picture)
    job = await desk.job(small, await a_film(desk, film), note="No 720p there.")
    message = await desk.shows(await desk.asks(chat, job))
    shown = only(chat)
    assert str(shown.message_id) == message and shown.media is not None
    assert (shown.media.kind, shown.media.content, shown.media.name) == ("video", film, "Film.mp4")
    assert (shown.media.duration, shown.media.width, shown.media.height) == (80, 320, 180)
    assert shown.media.thumbnail == picture
    assert shown.html.startswith("<b>A &lt;film&gt; &amp; more</b>\nvideo · 180p · mp4 · ")
    assert "<i>No 720p there.</i>\nLinks work until" in shown.html
    assert shown.labels == ["Watch", "Download"]
    (call,) = desk.telegram.made("editMessageMedia")
    assert media_of(call)["supports_streaming"] is True


async def test_a_picture_that_is_no_thumbnail_is_left_out(desk: Desk, chat: Chat, film: bytes) -> None:
    for content in (b"no jpeg", b"\xff\xd8\xff" + b"\xff" * 100):
        job = await desk.job(
            await a_film(desk, film), await desk.stored(ArtifactKind.THUMBNAIL, "jpg", content)
        )
        await desk.shows(await desk.asks(chat, job))
        media = chat.messages[-1].media
        assert media is not None and media.thumbnail is None


async def test_a_file_that_is_no_film_inside_is_sent_without_a_size(desk: Desk, chat: Chat) -> None:
    for content in (b"x", b"\0\0\0\x01moov" + b"\xff" * 20, b"\0\0\0\x00moov\0\0\0\x10trak" + b"\0" * 8):
        await desk.shows(await film_asked_for(desk, chat, content))
        media = chat.messages[-1].media
        assert media is not None and (media.width, media.content) == (0, content)


async def test_sound_plays_with_its_title(desk: Desk, chat: Chat) -> None:
    sound = await desk.stored(ArtifactKind.AUDIO, "m4a", b"sound", duration=61.0)
    await desk.shows(await desk.asks(chat, await desk.job(sound)))
    media = only(chat).media
    assert media is not None
    assert (media.kind, media.duration, media.title) == ("audio", 61, "A <film> & more")


async def test_what_telegram_does_not_play_is_a_document(desk: Desk, chat: Chat) -> None:
    sound = await desk.stored(ArtifactKind.AUDIO, "wav", b"sound")
    for file in (await a_film(desk, b"film", "mkv"), sound):
        await desk.shows(await desk.asks(chat, await desk.job(file)))
    assert [shown.media.kind for shown in chat.messages if shown.media] == ["document", "document"]


async def test_a_transcript_is_a_document_with_its_words_in_a_quote(desk: Desk, chat: Chat) -> None:
    about = {"language": "en", "source": "automatic"}
    cues = await desk.stored(ArtifactKind.CAPTIONS, "srt", b"1\n", "Talk.en", **about)
    text = await desk.stored(ArtifactKind.TRANSCRIPT, "txt", b"One <two>\nthree.\n", "Talk.en", **about)
    await desk.shows(await desk.asks(chat, await desk.job(cues, text)))
    shown = only(chat)
    assert shown.media is not None
    assert (shown.media.kind, shown.media.name) == ("document", "Talk.en.txt")
    assert "transcript · English · made automatically · srt 2 B, txt 17 B" in shown.html
    assert "<blockquote expandable>One &lt;two&gt;\nthree.</blockquote>" in shown.html
    assert shown.labels == ["Read", "Transcript SRT", "Transcript TXT"]


async def test_captions_alone_are_a_document_without_a_quote(desk: Desk, chat: Chat) -> None:
    cues = await desk.stored(ArtifactKind.CAPTIONS, "srt", b"1\n", "Talk.de", language="de", source="manual")
    await desk.shows(await desk.asks(chat, await desk.job(cues)))
    shown = only(chat)
    assert shown.media is not None and shown.media.name == "Talk.de.srt"
    assert "German · made by people" in shown.text and "blockquote" not in shown.html


async def test_who_asks_for_the_same_gets_what_telegram_has_already(desk: Desk, chat: Chat) -> None:
    request = await film_asked_for(desk, chat, b"film" * 1000)
    await desk.shows(request)
    other = desk.telegram.private(desk.telegram.user("Bob"))
    await desk.shows(await desk.asks(other, request.job_id), desk.another())
    assert desk.sent_bytes("editMessageMedia") == [4000, 0]
    media = only(other).media
    assert media is not None and media.content == b"film" * 1000
    assert await desk.remembered() == 1


async def test_two_who_wait_for_the_same_cost_one_upload(desk: Desk) -> None:
    people = [desk.telegram.private(desk.telegram.user(name)) for name in ("Ann", "Bob", "Cid")]
    job = await desk.job(await a_film(desk, b"film"))
    await asyncio.gather(*[desk.shows(await desk.asks(chat, job)) for chat in people])
    assert sorted(desk.sent_bytes("editMessageMedia")) == [0, 0, 4]


async def test_a_file_that_telegram_forgot_is_sent_again(desk: Desk, chat: Chat) -> None:
    request = await film_asked_for(desk, chat)
    await desk.shows(request)
    words = "Bad Request: wrong file identifier/HTTP URL specified"
    desk.telegram.fail_next("editMessageMedia", 400, description=words)
    await desk.shows(await desk.asks(chat, request.job_id))
    assert desk.sent_bytes("editMessageMedia") == [4, 0, 4]
    assert await desk.remembered() == 1
    assert [shown.media is not None for shown in chat.messages] == [True, True]


@pytest.mark.parametrize("repeats", [1, 2])
async def test_a_film_whose_answer_was_lost_is_there_once(desk: Desk, chat: Chat, repeats: int) -> None:
    request = await film_asked_for(desk, chat)
    desk.telegram.apply_then_drop("editMessageMedia")
    with pytest.raises(NetworkError):
        await desk.shows(request)
    for _ in range(repeats):
        message = str(only(chat).message_id)
        await desk.client.edit(request, message, await desk.view(request.job_id))
    shown = only(chat)
    assert shown.media is not None and shown.labels == ["Watch", "Download"]


async def test_a_film_that_came_but_may_not_come_again_keeps_its_caption(desk: Desk, chat: Chat) -> None:
    request = await film_asked_for(desk, chat)
    desk.telegram.apply_then_drop("editMessageMedia")
    with pytest.raises(NetworkError):
        await desk.shows(request)
    desk.telegram.fail_next("editMessageMedia", 413)
    await desk.client.edit(request, str(only(chat).message_id), await desk.view(request.job_id))
    shown = only(chat)
    assert shown.media is not None and "video · 180p" in shown.text and shown.labels == ["Watch", "Download"]


async def test_a_film_that_is_too_large_comes_as_a_link(desk: Desk, chat: Chat) -> None:
    await desk.shows(await film_asked_for(desk, chat, b"x" * 101), desk.another(max_upload=100))
    shown = only(chat)
    assert shown.media is None and shown.labels == ["Watch", "Download"]
    assert "This is larger than the 100 B that a bot may send here.\nLinks work until" in shown.text
    assert desk.telegram.made("editMessageMedia") == []


async def test_the_limit_is_telegrams_own_or_that_of_a_server_of_ones_own(desk: Desk, chat: Chat) -> None:
    settings = Settings(_env_file=None, telegram_token="1:a", public_url="https://ferry.example.org")
    cloud = TelegramClient(desk.bot, desk.database, desk.storage, settings)
    request = await film_asked_for(desk, chat)
    huge = await desk.view(request.job_id)
    files = tuple(each.model_copy(update={"size_bytes": 50_000_001}) for each in huge.artifacts)
    message = await desk.client.post(request, a_view(JobState.QUEUED))
    await cloud.edit(request, message, huge.model_copy(update={"artifacts": files}))
    assert "larger than the 50.0 MB" in only(chat).text
    await desk.client.edit(request, message, huge.model_copy(update={"artifacts": files}))
    assert only(chat).media is not None


async def test_who_wants_links_gets_links(desk: Desk, chat: Chat) -> None:
    await desk.shows(await film_asked_for(desk, chat, as_link=True))
    shown = only(chat)
    assert shown.media is None and shown.labels == ["Watch", "Download"]
    assert "Links work until" in shown.text and desk.telegram.made("editMessageMedia") == []


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (413, None), (400, "Bad Request: VIDEO_FILE_INVALID"), (400, "Bad Request: PHOTO_INVALID_DIMENSIONS"),
        (400, "Bad Request: not enough rights to send videos to the chat"),
        (400, "Bad Request: wrong type of the web page content"),
    ],
)  # fmt: skip
async def test_a_film_that_telegram_refuses_comes_as_a_link(
    desk: Desk, chat: Chat, status: int, words: str | None
) -> None:
    desk.telegram.fail_next("editMessageMedia", status, description=words)
    await desk.shows(await film_asked_for(desk, chat))
    shown = only(chat)
    assert shown.media is None and NOT_TAKEN in shown.text and shown.labels == ["Watch", "Download"]


async def test_a_film_that_never_arrives_comes_as_a_link_in_the_end(desk: Desk, chat: Chat) -> None:
    request = await film_asked_for(desk, chat)
    for _ in range(STUBBORN):
        desk.telegram.faults.drop_next("editMessageMedia")
        with pytest.raises(NetworkError):
            await desk.shows(request)
        request.delivery_failures += 1
    desk.telegram.faults.drop_next("editMessageMedia")
    await desk.shows(request)
    assert NOT_TAKEN in chat.messages[-1].text


async def test_a_long_film_that_never_arrived_is_not_begun_again(
    desk: Desk, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "LONG", 3)
    await desk.shows(await film_asked_for(desk, chat, delivery_failures=STUBBORN))
    assert NOT_TAKEN in only(chat).text and only(chat).labels == ["Watch", "Download"]
    assert desk.telegram.made("editMessageMedia") == []


async def test_a_file_that_cannot_be_read_comes_as_a_link_in_the_end(
    desk: Desk, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: object) -> None:
        raise PermissionError("not for you")

    monkeypatch.setattr(Carrier, "_upload", broken)
    request = await film_asked_for(desk, chat)
    with pytest.raises(PermissionError):
        await desk.shows(request)
    request.delivery_failures = STUBBORN
    await desk.shows(request)
    assert NOT_TAKEN in chat.messages[-1].text


async def test_after_an_outage_the_film_still_comes(desk: Desk, chat: Chat) -> None:
    request = await film_asked_for(desk, chat, delivery_failures=STUBBORN + 5)
    message = await desk.client.post(request, a_view(JobState.QUEUED))
    view = await desk.view(request.job_id)
    for method in ("editMessageMedia", "editMessageText"):
        desk.telegram.fail_next(method, 502)
    with pytest.raises(NetworkError):
        await desk.client.edit(request, message, view)
    await desk.client.edit(request, message, view)
    assert only(chat).media is not None


async def test_an_upload_that_never_ends_is_given_up(
    desk: Desk, chat: Chat, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = await film_asked_for(desk, chat)
    monkeypatch.setattr(calls, "PATIENCE", 0.05)
    desk.telegram.hang_next("editMessageMedia")
    with pytest.raises(TimedOut):
        await desk.shows(request)


async def test_a_file_that_is_stored_elsewhere_is_fetched(desk: Desk, chat: Chat) -> None:
    class Bucket(LocalStorage):
        room = True

        @asynccontextmanager
        async def at_hand(self, key: str) -> AsyncIterator[Path]:
            if not self.room:
                raise JobError(Code.DISK_FULL)
            await desk.storage.fetch(key, desk.folder / "copy")
            yield desk.folder / "copy"

    bucket = Bucket(desk.folder)
    client = TelegramClient(desk.bot, desk.database, bucket, desk.settings)
    bucket.room = False
    await desk.shows(await film_asked_for(desk, chat), client)
    assert only(chat).media is None and "Links work until" in only(chat).text
    bucket.room = True
    await desk.shows(await film_asked_for(desk, chat), client)
    media = chat.messages[-1].media
    assert media is not None and media.content == b"film"


async def test_a_name_in_any_script_arrives(desk: Desk, chat: Chat) -> None:
    name = 'Фильм 😀 «x» "y" % é'
    film = await desk.stored(ArtifactKind.VIDEO, "mkv", b"film", name)
    await desk.shows(await desk.asks(chat, await desk.job(film)))
    media = only(chat).media
    assert media is not None and media.name.replace("%22", '"') == f"{name}.mkv"


async def test_a_film_that_is_no_longer_stored_is_no_crash(desk: Desk, chat: Chat) -> None:
    film = await a_film(desk, b"film")
    request = await desk.asks(chat, await desk.job(film))
    await desk.storage.delete(film.storage_key)
    await desk.shows(request)
    assert NOT_TAKEN in only(chat).text


async def test_what_holds_for_texts_holds_for_films(desk: Desk, chat: Chat) -> None:
    request = await film_asked_for(desk, chat)
    message = await desk.client.post(request, a_view(JobState.QUEUED))
    view = await desk.view(request.job_id)
    desk.telegram.fail_next("editMessageMedia", 429, retry_after=9)
    with pytest.raises(Throttled):
        await desk.client.edit(request, message, view)
    desk.telegram.fail_next("editMessageMedia", 500)
    with pytest.raises(NetworkError):
        await desk.client.edit(request, message, view)
    await chat.deletes(int(message))
    with pytest.raises(MessageGone):
        await desk.client.edit(request, message, view)


async def test_without_a_public_address_a_film_still_comes(desk: Desk, chat: Chat) -> None:
    desk.settings = Settings(_env_file=None, telegram_token="1:a", telegram_api_url=desk.telegram.url)
    await desk.shows(await film_asked_for(desk, chat), desk.another())
    assert only(chat).media is not None and only(chat).labels == []
    await desk.shows(await film_asked_for(desk, chat), desk.another(max_upload=1))
    text = chat.messages[-1].html
    assert NO_PUBLIC_URL in text and "<code>http://localhost:8080/f/" in text


async def test_links_that_telegram_takes_for_none_are_given_up(desk: Desk, chat: Chat) -> None:
    words = "Bad Request: inline keyboard button URL 'https://ferry' is invalid: Wrong HTTP URL"
    desk.telegram.fail_next("editMessageMedia", 400, description=words)
    await desk.shows(await film_asked_for(desk, chat))
    assert only(chat).media is not None and only(chat).labels == []
