"""What is told of a media: cleaned, bounded, without secrets, and never mistaken for another."""

import json
from pathlib import Path

import pytest

from worker.child import extras, links
from worker.child.describe import clean, describe, public_url
from worker.child.sieve import Extractors


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("a\nb\r\nc\td", "a b c d"),
        ("a\x00b\x1b[31mc", "a b [31mc"),
        ("\u202egnp.exe", "gnp.exe"),
        ("\ud800x", "x"),
        ("  many   spaces  ", "many spaces"),
        ("🎉" * 300, "🎉" * 20),
        (7, "7"),
    ],
)
def test_texts_become_one_plain_line(text: object, expected: str) -> None:
    assert clean(text, 20) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.example/x?y=1#z", "https://a.example/x?y=1#z"),
        ("https://me:secret@a.example:8080/x", "https://a.example:8080/x"),
        ("javascript:alert(1)", ""),
        ("file:///etc/passwd", ""),
        ("http://[", ""),
        ("https://a.example/" + "x" * 5000, ""),
        ("https://a.example/\u202ex", ""),
    ],
)
def test_addresses_shown_have_no_secrets(url: str, expected: str) -> None:
    assert public_url(url) == expected


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"id": "x" * 400 + "1"}, {"id": "x" * 400 + "2"}),
        ({"id": "a\nb"}, {"id": "a b"}),
        ({"id": "a\ud800"}, {"id": "a\ud801"}),
        ({"id": "", "webpage_url": "https://a.example/1"}, {"id": "", "webpage_url": "https://a.example/2"}),
        ({"webpage_url": "https://a.example/1"}, {"webpage_url": "https://a.example/2"}),
    ],
)
def test_different_media_have_different_ids(first: dict[str, str], second: dict[str, str]) -> None:
    ids = [describe(info).media_id for info in (first, second, first)]
    assert ids[0] == ids[2] != ids[1]
    assert all(0 < len(media_id.encode()) <= 300 for media_id in ids)


def test_plain_ids_stay_what_they_are() -> None:
    assert describe({"id": "dQw4w9WgXcQ"}).media_id == "dQw4w9WgXcQ"


def test_long_ids_found_without_the_network_are_those_found_with_it() -> None:
    class Extractor:
        __module__ = "test"
        suitable = staticmethod(lambda _: True)
        get_temp_id = staticmethod(lambda link: link)

    link = "https://a.example/" + "x" * 5000
    found = links.identify(link, Extractors({"Test": Extractor}))
    assert found is not None
    assert found.media_id == describe({"id": link}).media_id
    assert len(found.media_id) == 64


def test_a_poor_info_is_still_described() -> None:
    chapters = [{"start_time": 1, "end_time": 0}, {"start_time": 0, "end_time": 5, "title": "x" * 999}]
    media = describe({"id": "x", "chapters": chapters * 2000, "duration": -1, "upload_date": "soon"})
    assert (media.title, media.duration, media.upload_date, media.has_audio) == ("x", None, None, False)
    assert len(media.chapters) == 500
    assert len(media.chapters[0].title) == 300


SIGNED = "https://cdn.example/x?signature=SECRET"


HEADERS = {"Cookie": "SECRET", "Authorization": "SECRET"}


def test_the_info_holds_what_describes_and_nothing_signed(tmp_path: Path) -> None:
    private = {"http_headers": HEADERS, "cookies": "SECRET", "url": SIGNED, "manifest_url": SIGNED}
    stream = {
        **private,
        "format_id": "1",
        "height": 720,
        "fragment_base_url": SIGNED,
        "fragments": [{"url": SIGNED}],
    }
    info = {
        **private,
        "id": "x",
        "title": "A ferry \ud800",
        "webpage_url": "https://me:SECRET@a.example/x",
        "formats": [stream],
        "subtitles": {"en": [{"ext": "vtt", "url": SIGNED}]},
        "automatic_captions": {"de": [{"ext": "vtt", "url": SIGNED}]},
        "chapters": [{"title": "One", "start_time": 0, "end_time": 1, "url": SIGNED}],
        "tags": ["sea", {"url": SIGNED}],
        "description": {"url": SIGNED},
        "heatmap": [SIGNED],
        "a_key_of_tomorrow": SIGNED,
    }
    text = extras.write_info(info, tmp_path).read_text()
    assert "SECRET" not in text
    kept = json.loads(text)
    assert kept["title"] == "A ferry ?"
    assert kept["webpage_url"] == "https://a.example/x"
    assert kept["formats"] == [{"format_id": "1", "height": 720}]
    assert (kept["subtitles"], kept["automatic_captions"]) == (["en"], ["de"])
    assert kept["chapters"] == [{"title": "One", "start_time": 0, "end_time": 1}]
    assert kept["tags"] == ["sea"]
