"""Small pictures of large ones: what Telegram takes, in bounded time, and no process is left behind."""

import asyncio
import stat
from pathlib import Path
from subprocess import run

import psutil
import pytest

from shared.chat.telegram import thumbnails
from shared.chat.telegram.shapes import jpeg_shape
from shared.chat.telegram.thumbnails import MOST_BYTES, MOST_SIDE, small_jpeg
from shared.models import ArtifactKind
from tests.shared.chat.telegram.conftest import Desk
from tests.waiting import eventually

pytestmark = pytest.mark.slow


def picture(path: Path, size: str, source: str = "testsrc2", *options: str) -> Path:
    """A picture as ffmpeg makes it, in the format of its name."""
    given = ("-f", "lavfi", "-i", f"{source}=size={size}", "-frames:v", "1", *options)
    run(["ffmpeg", "-v", "error", "-y", *given, path], check=True)
    return path


@pytest.mark.parametrize("name", ["large.webp", "large.png", "large.jpg", "large.gif", "large.bmp"])
async def test_a_large_picture_becomes_a_small_jpeg(tmp_path: Path, name: str) -> None:
    data = await small_jpeg(picture(tmp_path / name, "1280x720"))
    assert data is not None and jpeg_shape(data) == (320, 180)
    assert 1000 < len(data) <= MOST_BYTES
    decoded = run(["ffmpeg", "-v", "error", "-i", "-", "-f", "null", "-"], input=data, capture_output=True)
    assert decoded.returncode == 0 and not decoded.stderr


@pytest.mark.parametrize(
    ("size", "shape"), [("720x1280", (180, 320)), ("2000x10", (320, 2)), ("60x40", (60, 40)), ("8x8", (8, 8))]
)
async def test_the_proportions_stay_and_nothing_grows(
    tmp_path: Path, size: str, shape: tuple[int, int]
) -> None:
    data = await small_jpeg(picture(tmp_path / "picture.png", size))
    assert data is not None and jpeg_shape(data) == shape


async def test_a_picture_of_noise_is_small_enough_too(tmp_path: Path) -> None:
    noise = picture(tmp_path / "noise.png", "1280x720", "nullsrc", "-vf", "geq=random(1)*255:128:128")
    data = await small_jpeg(noise)
    assert data is not None and len(data) <= MOST_BYTES


async def test_a_small_jpeg_stays_as_it_is(tmp_path: Path) -> None:
    small = picture(tmp_path / "small.jpg", "320x180")
    assert await small_jpeg(small) == small.read_bytes()


async def test_what_is_no_picture_has_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = picture(tmp_path / "secret.png", "64x64")
    playlist = f"ffconcat version 1.0\nfile {outside}\n".encode()
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    for number, content in enumerate((b"", b"no picture", b"\xff\xd8\xff", playlist, svg)):
        path = tmp_path / f"wrong-{number}"
        path.write_bytes(content)
        assert await small_jpeg(path) is None
    assert await small_jpeg(tmp_path / "missing") is None
    monkeypatch.setattr(thumbnails, "COMMAND", ("no-such-program-anywhere",))
    assert await small_jpeg(outside) is None, "a machine without ffmpeg"


async def test_a_picture_that_unpacks_to_gigabytes_is_left_alone(tmp_path: Path) -> None:
    assert await small_jpeg(picture(tmp_path / "bomb.png", "7000x7000", "color")) is None


@pytest.fixture
def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of ffmpeg a program that never ends; the file names its process once it runs."""
    script, note = tmp_path / "stuck", tmp_path / "pid"
    script.write_text(f'#!/bin/sh\necho $$ > "{note}.new"; mv "{note}.new" "{note}"; exec sleep 1000\n')
    script.chmod(script.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setattr(thumbnails, "COMMAND", (str(script),))
    return note


async def test_who_is_cancelled_leaves_no_process(tmp_path: Path, stuck: Path) -> None:
    large = picture(tmp_path / "large.png", "1280x720")
    making = asyncio.create_task(small_jpeg(large))
    await eventually(stuck.exists)
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    assert not psutil.pid_exists(int(stuck.read_text()))


async def test_a_picture_that_takes_for_ever_is_given_up(
    tmp_path: Path, stuck: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "PATIENCE", 1.0)
    assert await small_jpeg(picture(tmp_path / "large.png", "1280x720")) is None
    assert not (stuck.exists() and psutil.pid_exists(int(stuck.read_text())))


@pytest.mark.parametrize("form", ["webp", "png"])
async def test_a_film_arrives_with_its_sites_picture(desk: Desk, tmp_path: Path, form: str) -> None:
    chat = desk.telegram.private(desk.telegram.user("Ann"))
    content = picture(tmp_path / f"thumbnail.{form}", "1280x720").read_bytes()
    film = await desk.stored(ArtifactKind.VIDEO, "mp4", b"film", height=180, duration=12)
    thumbnail = await desk.stored(ArtifactKind.THUMBNAIL, form, content)
    await desk.shows(await desk.asks(chat, await desk.job(film, thumbnail)))
    (shown,) = chat.messages
    assert shown.media is not None and shown.media.thumbnail is not None
    shape = jpeg_shape(shown.media.thumbnail)
    assert shape is not None and max(shape) == MOST_SIDE
