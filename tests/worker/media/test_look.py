"""What a child's libav sees in a file is what ffprobe sees, and no file is refused on its word alone."""

import asyncio
from pathlib import Path

import pytest

from shared.errors import Code, JobError
from shared.options import MediaFormat, Options
from tests.worker.media.conftest import RECIPES, MakeSample
from tests.worker.media.test_check import HOSTILE, Listener, listener
from worker.child.look import look
from worker.media import MediaInfo, inspect, process, trust, verify
from worker.media.layout import read_layout
from worker.media.probe import describe

__all__ = ["listener"]  # a fixture


def seen(path: Path) -> MediaInfo:
    return describe(path, look(path), read_layout(path))


@pytest.fixture
def no_ffprobe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_command", lambda tool: ("/nonexistent/ffprobe",))


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "long.mp4"])
async def test_it_sees_what_ffprobe_sees(sample: MakeSample, name: str) -> None:
    ours, theirs = seen(sample(name)), await inspect(sample(name))
    assert (ours.container, ours.streams) == (theirs.container, theirs.streams)
    assert ours.duration == pytest.approx(theirs.duration, abs=0.05)
    assert ours.start_time == pytest.approx(theirs.start_time, abs=0.01)
    assert len(ours.decoded) > 2
    assert ours.decoded[0] == pytest.approx(theirs.decoded[0], abs=0.01)
    assert ours.decoded[-1] == pytest.approx(theirs.decoded[-1], abs=0.1)


@pytest.mark.parametrize(
    ("name", "format"), [("h264-aac.mp4", "mp4"), ("vp9-opus.webm", "webm"), ("tone.mp3", "mp3")]
)
async def test_what_looks_right_needs_no_ffprobe(
    sample: MakeSample, tmp_path: Path, no_ffprobe: None, name: str, format: str
) -> None:
    path = tmp_path / name
    path.write_bytes(sample(name).read_bytes())
    await trust(path, look(path))
    assert (await verify(path, Options(format=MediaFormat(format)), 6.0)).path == path
    path.write_bytes(sample(name).read_bytes() * 2)  # another file from now on
    with pytest.raises(FileNotFoundError, match="ffprobe"):
        await inspect(path)


@pytest.mark.parametrize("name", ["h264-aac.mp4", "vp9-opus.webm", "tone.wav", "tone.mp3"])
@pytest.mark.parametrize("share", [0.3, 0.6])
async def test_what_was_cut_off_is_for_ffprobe_to_refuse(
    sample: MakeSample, tmp_path: Path, no_ffprobe: None, name: str, share: float
) -> None:
    content = sample(name).read_bytes()
    path = tmp_path / name
    path.write_bytes(content[: int(len(content) * share)])
    try:
        await trust(path, look(path))
    except JobError as error:
        assert error.code is Code.BROKEN_FILE
    with pytest.raises(FileNotFoundError, match="ffprobe"):
        await inspect(path)


@pytest.mark.parametrize(("first", "last"), [(0.5, 1.0), (0.0, 0.5)])
async def test_a_hole_is_for_ffprobe_to_refuse(
    sample: MakeSample, tmp_path: Path, no_ffprobe: None, first: float, last: float
) -> None:
    content = sample("h264-aac.mp4").read_bytes()
    data = content.index(b"mdat") + 4
    start, end = (data + int((len(content) - data) * share) for share in (first, last))
    path = tmp_path / "hole.mp4"
    path.write_bytes(content[:start] + bytes(end - start) + content[end:])
    await trust(path, look(path))
    with pytest.raises(FileNotFoundError, match="ffprobe"):
        await inspect(path)


@pytest.mark.parametrize(
    "content", [b"", b"<!doctype html>" * 500, bytes(range(256)) * 400, bytes(5000)], ids=len
)
def test_what_is_no_media(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "video.mp4"
    path.write_bytes(content)
    with pytest.raises(JobError) as caught:
        look(path)
    assert caught.value.code is Code.BROKEN_FILE


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
async def test_it_opens_no_other_file_or_address(
    listener: Listener, sample: MakeSample, tmp_path: Path, text: str
) -> None:
    (tmp_path / "neighbour.ts").write_bytes(sample("really-ts.mp4").read_bytes())
    for target in (f"http://127.0.0.1:{listener.port}/x.ts", "file:///etc/passwd", "neighbour.ts"):
        path = tmp_path / "video.mp4"
        path.write_text(text.format(target=target, port=listener.port))
        with pytest.raises(JobError):
            await asyncio.to_thread(look, path)
    assert listener.connections == 0
