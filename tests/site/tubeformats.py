"""The formats of a test video, with the fields YouTube's extractor gives and true sizes."""

from typing import Any

from tests.site.files import Library
from tests.site.media import HEIGHTS, TUBE_CODECS
from tests.site.speech import DURATION

Format = dict[str, Any]

CODECS = {"avc1": "avc1.4d401f", "vp9": "vp9", "av01": "av01.0.08M.08"}
ITAGS = {
    "avc1": {144: 160, 240: 133, 360: 134, 480: 135, 720: 136, 1080: 137},
    "vp9": {144: 278, 240: 242, 360: 243, 480: 244, 720: 247, 1080: 248, 1440: 271, 2160: 313},
    "av01": {144: 394, 240: 395, 360: 396, 480: 397, 720: 398, 1080: 399, 1440: 400, 2160: 401},
}
AUDIO = {"139.m4a": "mp4a.40.2", "140.m4a": "mp4a.40.2", "249.webm": "opus", "251.webm": "opus"}
HEADERS = {"User-Agent": "Mozilla/5.0", "Accept-Language": "en-us,en;q=0.5"}


def formats(base: str, library: Library) -> list[Format]:
    """All formats, worst first: storyboard, audio only, video only, and one with both."""
    found = [_storyboard(base)]
    for name, codec in AUDIO.items():
        found.append(_file(base, library, name, name.partition(".")[0]) | _sound(codec) | {"vcodec": "none"})
    for codec, (extension, heights) in TUBE_CODECS.items():
        for height in heights:
            form = _file(base, library, f"{codec}-{height}.{extension}", str(ITAGS[codec][height]))
            found.append(form | _picture(CODECS[codec], height) | {"acodec": "none"})
    both = (
        _file(base, library, "18.mp4", "18")
        | _picture(CODECS["avc1"], 360)
        | _sound("mp4a.40.2")
        | {"fps": 15}
    )
    del both["container"]
    return sorted([*found, both], key=lambda form: (form.get("height", 0), form.get("tbr", 0)))


def _file(base: str, library: Library, name: str, format_id: str) -> Format:
    size = library.find(f"tube/media/{name}").stat().st_size
    extension = name.rpartition(".")[2]
    tbr = round(size * 8 / DURATION / 1000, 3)
    return {
        "format_id": format_id,
        "url": f"{base}tube/media/{name}",
        "ext": extension,
        "container": f"{extension}_dash",
        "protocol": "http",
        "filesize": size,
        "filesize_approx": size,
        "tbr": tbr,
        "source_preference": -1,
        "http_headers": HEADERS,
        "downloader_options": {"http_chunk_size": 10 * 1024 * 1024},
    }


def _picture(codec: str, height: int) -> Format:
    quality = list(HEIGHTS).index(height)
    size = {"height": height, "width": HEIGHTS[height], "format_note": f"{height}p"}
    return {"vcodec": codec, "fps": 1, "quality": quality, "dynamic_range": "SDR", **size}


def _sound(codec: str) -> Format:
    language = {"language": "en", "language_preference": 10}
    return {"acodec": codec, "asr": 48000 if codec == "opus" else 44100, "audio_channels": 1, **language}


def _storyboard(base: str) -> Format:
    """A format that is pictures only; format choice has to pass it over."""
    picture = f"{base}media/thumbnail.jpg"
    return {
        "format_id": "sb0",
        "format_note": "storyboard",
        "ext": "mhtml",
        "protocol": "mhtml",
        "acodec": "none",
        "vcodec": "none",
        "url": picture,
        "width": 160,
        "height": 90,
        "fps": 1,
        "rows": 1,
        "columns": 1,
        "fragments": [{"url": picture, "duration": DURATION}],
    }
