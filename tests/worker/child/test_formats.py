"""Which formats are chosen for which wish."""

from typing import Any

import pytest

from shared.options import MediaFormat, Options, Quality
from worker.child.formats import Format, known_too_large, offers, select, usable


def make(
    format_id: str, vcodec: str | None, acodec: str | None, height: int | None = None, **more: Any
) -> Format:
    return {
        "format_id": format_id,
        "vcodec": vcodec,
        "acodec": acodec,
        "height": height,
        "ext": "mp4",
        "protocol": "https",
        "url": f"https://site.example/{format_id}",
        **more,
    }


AUDIO = [make("opus", "none", "opus"), make("aac", "none", "mp4a.40.2")]
LADDER = [
    *AUDIO,
    make("18", "avc1.42", "mp4a.40.2", 360),
    *(make(f"{h}-avc", "avc1.64", "none", h) for h in (144, 360, 720, 1080)),
    *(make(f"{h}-vp9", "vp09.00", "none", h) for h in (144, 360, 720, 1080, 1440, 2160)),
    *(make(f"{h}-av1", "av01.0", "none", h) for h in (720, 2160)),
]


def ids(formats: list[Format], **options: Any) -> list[str]:
    return [choice.format["format_id"] for choice in select(formats, Options(**options))]


@pytest.mark.parametrize(
    ("quality", "container", "expected"),
    [
        (Quality.P1080, MediaFormat.MP4, ["1080-avc", "aac"]),
        (Quality.P1080, MediaFormat.WEBM, ["1080-vp9", "opus"]),
        (Quality.P720, MediaFormat.WEBM, ["720-vp9", "opus"]),
        (Quality.BEST, MediaFormat.MP4, ["2160-av1", "aac"]),
        (Quality.P1440, MediaFormat.MP4, ["1440-vp9", "aac"]),
        (Quality.P480, MediaFormat.MP4, ["18"]),  # one file where it is as good as two
        (Quality.P480, MediaFormat.WEBM, ["360-vp9", "opus"]),
        (Quality.WORST, MediaFormat.MP4, ["144-avc", "aac"]),
        (Quality.BEST, MediaFormat.MP3, ["aac"]),
        (Quality.BEST, MediaFormat.M4A, ["aac"]),
        (Quality.BEST, MediaFormat.WAV, ["aac"]),
    ],
)
def test_the_ladder(quality: Quality, container: MediaFormat, expected: list[str]) -> None:
    assert ids(LADDER, quality=quality, format=container) == expected


SOUND = [
    make("dubbed", "none", "opus", filesize=10, language_preference=-1),
    make("large", "none", "mp4a", filesize=300, language_preference=10),
    make("small", "none", "opus", filesize=100, language_preference=10),
]


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        ([*SOUND, *LADDER], ["small"]),
        ([make("a", "none", "aac", tbr=128), make("b", "none", "aac", tbr=48)], ["b"]),
        ([make("720", "avc1", "mp4a", 720), make("144", "avc1", "mp4a", 144)], ["144"]),
        ([make("silent", "avc1", "none", 144)], []),
    ],
)
def test_the_worst_sound_is_the_smallest_of_the_original(formats: list[Format], expected: list[str]) -> None:
    assert ids(formats, quality=Quality.WORST, format=MediaFormat.M4A) == expected


def test_above_the_wish_comes_only_the_smallest() -> None:
    only_high = [*AUDIO, make("a", "avc1", "none", 1440), make("b", "avc1", "none", 2160)]
    assert ids(only_high, quality=Quality.P480) == ["a", "aac"]


def test_an_upright_video_is_called_by_its_shorter_side() -> None:
    upright = [make("tall", "avc1", "mp4a", 1920, width=1080), make("small", "avc1", "mp4a", 640, width=360)]
    assert ids(upright, quality=Quality.P1080) == ["tall"]
    assert [offer.height for offer in offers(upright)] == [1080, 360]


def test_without_heights_the_order_of_the_site_decides() -> None:
    unknown = [make("low", None, None), make("high", None, None)]
    assert ids(unknown) == ["high"]
    assert ids(unknown, quality=Quality.WORST) == ["low"]


def test_a_silent_video_loses_to_a_lower_one_with_sound() -> None:
    formats = [make("sound", "avc1", "mp4a", 360), make("silent", "avc1", "none", 1080)]
    assert ids(formats) == ["sound"]
    assert ids(formats[1:]) == ["silent"]


def test_audio_is_taken_from_a_small_file_with_both() -> None:
    formats = [
        make("tiny", "avc1", "mp4a", 144),
        make("fair", "avc1", "mp4a", 480),
        make("big", "avc1", "mp4a", 1080),
    ]
    assert ids(formats, format=MediaFormat.MP3) == ["fair"]
    assert ids(formats[:1], format=MediaFormat.MP3) == ["tiny"]


def test_a_link_with_sound_only_gives_its_sound() -> None:
    assert ids(AUDIO) == ["aac"]


def test_the_original_language_wins() -> None:
    dubbed = [
        make("original", "none", "opus", language="en", language_preference=10),
        make("dub", "none", "mp4a", language="de", language_preference=-1),
        make("video", "avc1", "none", 720),
        make("dubbed-file", "avc1", "mp4a", 720, language_preference=-1),
    ]
    assert ids(dubbed) == ["video", "original"]


def test_renditions_that_do_not_play_by_default_lose() -> None:
    renditions = [
        make("default", "none", None),
        make("description", "none", None, source_preference=-2),
        make("video", "avc1", "none", 720),
    ]
    assert ids(renditions) == ["video", "default"]


@pytest.mark.parametrize(
    "bad",
    [
        {"has_drm": True},
        {"ext": "mhtml", "protocol": "mhtml"},
        {"vcodec": "none", "acodec": "none"},
        {"protocol": "rtmp", "url": "rtmp://site.example/a"},
        {"protocol": "mms"},
        {"protocol": "websocket_frag"},
        {"protocol": "https+rtmp"},
        *(
            {"url": url}
            for url in ("file:///etc/passwd", "data:video/mp4,x", "concat:a|b", "ftp://a/b", "", None)
        ),
    ],
    ids=str,
)
def test_what_cannot_be_fetched_is_left_out(bad: dict[str, Any]) -> None:
    assert usable([make("a", "avc1", "mp4a", 720) | bad]) == []
    assert select([make("a", "avc1", "mp4a", 720) | bad], Options()) == ()


def test_sizes_known_beforehand_are_compared() -> None:
    exact = select([make("a", "avc1", "mp4a", filesize=101)], Options())
    roughly = select([make("a", "avc1", "mp4a", filesize_approx=140)], Options())
    assert known_too_large(exact, 100)
    assert not known_too_large(exact, 101)
    assert not known_too_large(roughly, 100)
    assert known_too_large(roughly, 90)


def test_offers_add_up_video_and_sound() -> None:
    formats = [make("aac", "none", "mp4a", filesize=5), make("a", "avc1", "none", 720, filesize=100)]
    (offer,) = offers(formats)
    assert (offer.height, offer.size) == (720, 105)
    (unknown,) = offers([make("a", "avc1", "none", 720)])
    assert unknown.size is None
