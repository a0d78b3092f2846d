"""The site's side of the test extractor: one JSON answer for each video, and its captions.

The id of a link says what happens: its first word up to a hyphen is looked up in `SCENES` and `REFUSALS`,
anything else is an ordinary video. The query of the link adjusts it; the README lists both.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from tests.site import captions
from tests.site.faults import hang
from tests.site.files import Ledger, Library
from tests.site.pages import CHAPTERS, DESCRIPTION, UPLOADED
from tests.site.refusals import REFUSALS
from tests.site.speech import DURATION, Times, cues
from tests.site.tubeformats import Format, formats

MANUAL = {
    "en": "English",
    "en-US": "English (United States)",
    "pt-BR": "Portuguese (Brazil)",
    "zh-Hans": "Chinese (Simplified)",
    "de": "German",
    "ar": "Arabic",
    "th": "Thai",
    "ja": "Japanese",
}
TRANSLATIONS = {
    "af": "Afrikaans",
    "ar": "Arabic",
    "zh-Hans": "Chinese (Simplified)",
    "zh-Hant": "Chinese (Traditional)",
    "cs": "Czech",
    "da": "Danish",
    "nl": "Dutch",
    "en": "English",
    "fil": "Filipino",
    "fi": "Finnish",
    "fr": "French",
    "de": "German",
    "el": "Greek",
    "iw": "Hebrew",
    "hi": "Hindi",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "no": "Norwegian",
    "fa": "Persian",
    "pl": "Polish",
    "pt": "Portuguese",
    "pt-PT": "Portuguese (Portugal)",
    "ro": "Romanian",
    "ru": "Russian",
    "es": "Spanish",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
}
SUBTITLE_FORMATS = {"json3": "application/json", "srt": "application/x-subrip", "vtt": "text/vtt"}
ONLY: dict[str, Callable[[Format], bool]] = {
    "lowres": lambda form: form.get("height", 0) <= 360,
    "audioonly": lambda form: form["vcodec"] == "none",
    "silent": lambda form: form["acodec"] == "none",
    "webmonly": lambda form: form["ext"] == "webm",
}
LIVE_STATUS = {
    "live": "is_live",
    "upcoming": "is_upcoming",
    "premiere": "is_upcoming",
    "postlive": "post_live",
    "waslive": "was_live",
}
SORT_FIELDS = ["quality", "res", "fps", "hdr:12", "source", "vcodec", "channels", "acodec", "lang", "proto"]
TITLE = "The ferry at noon, as the tube has it"


class Tube:
    """Endpoints under /tube/api."""

    def __init__(self, library: Library, ledger: Ledger) -> None:
        self._library = library
        self._ledger = ledger

    async def player(self, request: Request) -> Response:
        """What the extractor needs to know about the video `v`."""
        video_id = request.query_params["v"]
        scene = video_id.partition("-")[0]
        if scene == "slow":
            return await hang(request)
        if scene == "throttled" or (scene == "flaky" and self._first_calls(request, video_id)):
            raise HTTPException(429 if scene == "throttled" else 503, headers={"retry-after": "1"})
        if scene == "gone":
            raise HTTPException(404)
        if scene == "playlist":
            return JSONResponse(playlist(video_id, str(request.base_url)))
        refusal = REFUSALS.get(video_id) or REFUSALS.get(scene)
        info = self._info(video_id, scene, request) | ({"formats": []} if refusal else {})
        return JSONResponse({"info": info, "refusal": refusal and refusal._asdict()})

    def _first_calls(self, request: Request, video_id: str) -> bool:
        return self._ledger.first_times(f"flaky {video_id}", int(request.query_params.get("times", 2)))

    def _info(self, video_id: str, scene: str, request: Request) -> dict[str, Any]:
        base, query = str(request.base_url), request.query_params
        keep = ONLY.get(scene, _anything)
        info: dict[str, Any] = {
            "id": video_id,
            "title": query.get("title", TITLE),
            "description": DESCRIPTION,
            "duration": DURATION,
            "channel": "Harbour Films",
            "channel_id": "UCferrytest",
            "uploader": "Harbour Films",
            "upload_date": UPLOADED[:10].replace("-", ""),
            "thumbnails": [
                {"url": f"{base}media/thumbnail.jpg", "width": 640, "height": 360, "preference": -1},
                {"url": f"{base}media/thumbnail.webp", "width": 640, "height": 360, "preference": 0},
            ],
            "chapters": [{"title": t, "start_time": start, "end_time": end} for t, start, end in CHAPTERS],
            "age_limit": 18 if scene == "age" else 0,
            "view_count": 12345,
            "live_status": LIVE_STATUS.get(scene, "not_live"),
            "_format_sort_fields": SORT_FIELDS,
            "webpage_url": f"{base}tube/watch?v={video_id}",
            "formats": [f for f in formats(base, self._library) if keep(f)],
            **subtitles(base, video_id, scene, query),
        }
        if scene == "live":
            live = {"format_id": "300", "protocol": "m3u8_native", "height": 180, "width": 320}
            del info["duration"]
            info |= {"formats": [live | {"url": f"{base}endless/live.m3u8", "ext": "mp4"}]}
        return info

    async def timedtext(self, request: Request) -> Response:
        """One caption track; `kind=asr` rolls as automatic captions do, `tlang` translates."""
        query = request.query_params
        wanted = query.get("translated") if "tlang" in query else query.get("captions")
        if wanted and wanted.isdigit():
            raise HTTPException(int(wanted))
        if wanted == "empty":
            return Response()
        form = query["fmt"]
        return PlainTextResponse(track(query, form, self._library.times), media_type=SUBTITLE_FORMATS[form])


def track(query: Mapping[str, str], form: str, times: Times) -> str:
    """The text of a caption track; translations of automatic captions have lines but no word times."""
    language = query.get("tlang", query["lang"])
    lines = cues(language, times)
    heard = query.get("kind") == "asr"
    if heard and "tlang" not in query and form != "srt":
        return captions.rolling_json3(lines) if form == "json3" else captions.rolling_vtt(lines, language)
    if heard:
        lines = captions.heard_cues(lines)
    if form == "vtt":
        return captions.vtt(lines, language)
    return captions.json3(lines) if form == "json3" else captions.srt(lines)


def _anything(_: Format) -> bool:
    return True


Tracks = dict[str, list[dict[str, Any]]]


def subtitles(base: str, video_id: str, scene: str, query: Mapping[str, str]) -> dict[str, Tracks]:
    """Manual, automatic and translated caption tracks as YouTube's extractor lists them."""

    def forms(language: str, name: str, **more: str) -> list[dict[str, Any]]:
        shared = {"v": video_id, "lang": language, **more, **kept}
        return [
            {
                "ext": form,
                "url": f"{base}tube/api/timedtext?{urlencode({**shared, 'fmt': form})}",
                "name": name,
                "impersonate": True,
            }
            for form in SUBTITLE_FORMATS
        ]

    kept = {name: query[name] for name in ("captions", "translated", "latency") if name in query}
    if scene == "nocaptions":
        return {"subtitles": {}, "automatic_captions": {}, "translated_manual": {}}
    automatic = {"en-orig": forms("en", "English (Original)", kind="asr")}
    for code, name in TRANSLATIONS.items():
        translation = {} if code == "en" else {"tlang": code}
        automatic[code] = forms("en", name, kind="asr", **translation)
    return {
        "subtitles": {}
        if scene == "autoonly"
        else {code: forms(code, name) for code, name in MANUAL.items()},
        "automatic_captions": {} if scene == "manualonly" else automatic,
        "translated_manual": {
            f"{code}-en": forms("en", f"{name} from English", tlang=code)
            for code, name in TRANSLATIONS.items()
            if scene not in ("autoonly", "manualonly")
        },
    }


def playlist(video_id: str, base: str) -> dict[str, Any]:
    """A playlist; the number behind the last hyphen of its id says how many entries it has (default 3)."""
    number = re.search(r"-(\d+)$", video_id)
    entries = [f"{base}tube/watch?v=video-{entry + 1}" for entry in range(int(number[1]) if number else 3)]
    return {"playlist": {"id": video_id, "title": "All ferries", "entries": entries}}
