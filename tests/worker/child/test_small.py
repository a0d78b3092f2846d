"""The small pure parts: progress, names, the proxy's requests, resume notes."""

import json
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from shared.errors import Code
from worker.child import extras, proxy, resuming
from worker.child.abort import TRIPWIRE, Abort
from worker.child.budget import Budget
from worker.child.downloads import file_name, is_no_media
from worker.child.failures import explain
from worker.child.formats import Choice
from worker.child.progress import Meter


def test_two_files_are_one_progress() -> None:
    meter = Meter([900, 100])
    meter.update(0, {"status": "downloading", "downloaded_bytes": 450, "total_bytes": 900, "speed": 50.0})
    first = meter.progress()
    assert (first.done, first.total, first.fraction, first.eta) == (450, 1000, 0.45, 11.0)
    meter.update(0, {"status": "finished", "downloaded_bytes": 900, "total_bytes": 900})
    meter.update(1, {"status": "finished", "downloaded_bytes": 120, "total_bytes": 120})
    assert meter.progress().fraction == 1.0


def test_unknown_sizes_are_told_by_fragments() -> None:
    meter = Meter([None, None])
    meter.update(0, {"downloaded_bytes": 10, "fragment_index": 5, "fragment_count": 10})
    assert (meter.progress().total, meter.progress().fraction) == (None, 0.25)
    assert Meter([None]).progress().fraction is None


@pytest.mark.parametrize(
    ("head", "host", "port"),
    [
        (b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example", "a.example", 443),
        (b"CONNECT [::1]:443 HTTP/1.1", "::1", 443),
    ],
)
def test_the_proxy_understands(head: bytes, host: str, port: int) -> None:
    assert proxy.parse(head) == (host, port)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET",
        b"GET / HTTP/1.1",
        b"GET http://a.example/x HTTP/1.1",
        b"GET ftp://a.example/x HTTP/1.1",
        b"GET file:///etc/passwd HTTP/1.1",
        b"CONNECT a.example HTTP/1.1",
        b"CONNECT a.example:port HTTP/1.1",
        b"CONNECT a.example:99999 HTTP/1.1",
        b"CONNECT [:443 HTTP/1.1",
    ],
)
def test_the_proxy_refuses(head: bytes) -> None:
    assert proxy.parse(head) is None


@pytest.mark.parametrize(
    ("format_id", "ext", "name"),
    [
        ("137", "mp4", "137.mp4"),
        ("../../etc/passwd", "m/../p4", "_etc_passwd.mp4"),
        ("hls-1080p 60fps", "", "hls-1080p_60fps.bin"),
        ("x" * 300, "mp4", f"{'x' * 60}.mp4"),
        (None, None, "0.bin"),
    ],
)
def test_file_names_are_ours(format_id: Any, ext: Any, name: str) -> None:
    kind, media, rest = file_name(Choice("video", {"format_id": format_id, "ext": ext}), "../x").split(".", 2)
    assert (kind, rest) == ("video", name)
    assert media.isalnum()


def test_another_media_never_goes_on_in_the_file_of_the_first() -> None:
    choice = Choice("both", {"format_id": "18", "ext": "mp4"})
    assert file_name(choice, "Youtube a") == file_name(choice, "Youtube a") != file_name(choice, "Youtube b")


def test_texts_and_pictures_are_told_from_media() -> None:
    assert is_no_media(b"\n <!DOCTYPE html><title>")
    assert is_no_media("\ufeff<html><title>Gr\u00fc\u00dfe".encode())
    assert is_no_media(b"WEBVTT\r\n\r\n00:00.000 --> 00:02.000\r\nWelcome")
    assert is_no_media(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
    assert not is_no_media(b"\x00\x00\x00 ftypisom")
    assert not is_no_media(b"ID3\x04\x00\x00")
    assert not is_no_media(b"")


def test_pictures_are_told_by_their_first_bytes() -> None:
    heads = {
        b"\xff\xd8\xff\xe0": "jpg",
        b"\x89PNG\r\n\x1a\n": "png",
        b"RIFF0000WEBP": "webp",
        b"<svg>": None,
        b"": None,
    }
    assert {head: extras.image_type(head) for head in heads} == heads


def test_a_budget_stops_whoever_reads_too_much() -> None:
    budget = Budget(10, lambda count: None)
    response = budget.watch(SimpleNamespace(read=BytesIO(bytes(100)).read))
    assert len(response.read(10)) == 10
    try:
        with pytest.raises(Abort) as abort:
            response.read()
    finally:
        TRIPWIRE.reset()
    assert abort.value.code is Code.TOO_LARGE


def test_who_is_stopped_for_the_size_reads_the_limit_and_the_size_where_it_is_known() -> None:
    budget = Budget(5 * 10**9, lambda count: None)
    try:
        with pytest.raises(Abort) as declared:
            budget.expect(10_737_418_240)
        with pytest.raises(Abort) as again:  # of another thread
            budget.add(1)
        TRIPWIRE.reset()
        with pytest.raises(Abort) as counted:
            budget.add(5 * 10**9 + 1)
    finally:
        TRIPWIRE.reset()
    known, unknown = explain(declared.value).sentence, explain(counted.value).sentence
    assert known == explain(again.value).sentence
    assert known == "This file has about 10.7 GB, and I may fetch 5 GB at most."
    assert unknown == "This file is larger than the 5 GB that I may fetch."


def note(folder: Path, part: int | None, noted: object) -> Path:
    target = folder / "video.1.mp4"
    if part is not None:
        (folder / "video.1.mp4.part").write_bytes(bytes(part))
    if noted is not None:
        (folder / "video.1.mp4.ytdl").write_text(json.dumps({"downloader": noted}))
    return target


@pytest.mark.parametrize(
    ("part", "noted", "left"),
    [
        (100, {"current_fragment": {"index": 2}, "part_size": 80}, 80),  # killed while appending the third
        (80, {"current_fragment": {"index": 2}, "part_size": 80}, 80),
        (70, {"current_fragment": {"index": 2}, "part_size": 80}, None),  # the disk lost some
        (70, {"current_fragment": {"index": 2}}, None),  # somebody else's note
        (70, None, None),
        (None, None, None),
    ],
)
def test_a_stream_goes_on_where_its_note_says(
    tmp_path: Path, part: int | None, noted: object, left: int | None
) -> None:
    target = note(tmp_path, part, noted)
    resuming.prepare(target, fragmented=True)
    file = tmp_path / "video.1.mp4.part"
    assert (file.stat().st_size if file.exists() else None) == left
    assert (tmp_path / "video.1.mp4.ytdl").exists() == (left is not None)


def test_a_plain_file_needs_no_note(tmp_path: Path) -> None:
    resuming.prepare(note(tmp_path, 70, None), fragmented=False)
    assert (tmp_path / "video.1.mp4.part").stat().st_size == 70


def test_the_note_names_the_fragment_that_was_appended(tmp_path: Path) -> None:
    part = tmp_path / "video.part"
    with part.open("ab") as stream:
        stream.write(bytes(30))
        context = {
            "filename": str(tmp_path / "video"),
            "fragment_index": 9,  # what the threads have fetched meanwhile
            "fragment_filename_sanitized": f"{part}-Frag3",
            "dest_stream": stream,
        }
        resuming._write_note(SimpleNamespace(ytdl_filename=lambda name: f"{name}.ytdl"), context)
    written = json.loads((tmp_path / "video.ytdl").read_text())["downloader"]
    assert written == {"current_fragment": {"index": 3}, "part_size": 30}


def test_the_pool_looks_a_little_ahead_and_keeps_the_order() -> None:
    started = []

    def work(number: int) -> int:
        started.append(number)
        return number

    with resuming._Pool(2) as pool:
        results = pool.map(work, range(1000))
        assert next(results) == 0
        assert len(started) < 100
        assert list(results) == list(range(1, 1000))
