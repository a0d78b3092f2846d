"""Web pages around the media, as yt-dlp's generic extractor reads them, and lures to other addresses."""

import json
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from tests.site.files import playlist_response
from tests.site.speech import DURATION

TITLE = "The ferry at noon"
DESCRIPTION = "A short clip with real speech, made for testing."
UPLOADER = "Harbour Films"
UPLOADED = "2024-05-17T12:00:00Z"
CHAPTERS = (("Arrival", 0, 4), ("Crossing", 4, 9), ("Farewell", 9, DURATION))
CONTENT = {
    "sample": "/embed/sample",
    "hls": "/hls/master.m3u8",
    "hls60": "/hls60/index.m3u8",
    "dash": "/dash/manifest.mpd",
}
LENGTHS = {"/hls60/": 60, "/big/": 120}  # seconds; all other media last `DURATION`
TRACKS = (("en", "English"), ("de", "Deutsch"))


def page(title: str, head: str, body: str) -> HTMLResponse:
    """An HTML page."""
    return HTMLResponse(
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n<title>{escape(title)}</title>\n'
        f"{head}\n</head><body>\n{body}\n</body></html>"
    )


def player(source: str, tracks: str, poster: str) -> str:
    """A video element."""
    return (
        f'<video controls poster="{escape(poster)}" width="640" height="360">\n'
        f'<source src="{escape(source)}">\n{tracks}\n</video>'
    )


def sample_tracks(request: Request) -> str:
    """The caption tracks of the sample; `?captions=0` leaves them out, `?captions=en,th` chooses."""
    wanted = request.query_params.get("captions", "en,de")
    names = dict(TRACKS)
    return "\n".join(
        f'<track kind="subtitles" srclang="{escape(code)}" label="{escape(names.get(code, code))}" '
        f'src="/media/sample.{escape(code)}.vtt">'
        for code in wanted.split(",")
        if code != "0"
    )


async def watch(request: Request) -> Response:
    """A page with JSON-LD; `/watch/sample` shows its video in a frame, the others point to a manifest.

    yt-dlp takes JSON-LD only from pages without a video element of their own, hence the frame.
    `?title=` sets the title, `?media=` another address of the media.
    """
    query = request.query_params
    title = query.get("title", TITLE)
    content = CONTENT.get(request.path_params["name"], "/embed/sample")
    length = next((LENGTHS[part] for part in LENGTHS if part in content + query.get("media", "")), DURATION)
    query_string = f"?{request.url.query}" if request.url.query else ""
    base = str(request.base_url).rstrip("/")
    address = f"{base}{content}{query_string}" if content.startswith("/embed/") else base + content
    data = {
        "@context": "https://schema.org",
        "@type": "VideoObject",
        "name": title,
        "description": DESCRIPTION,
        "uploadDate": UPLOADED,
        "duration": f"PT{query.get('duration', length)}S",
        "thumbnailUrl": [f"{base}/media/thumbnail.jpg"],
        "contentUrl": address,
        "author": {"@type": "Organization", "name": UPLOADER},
        "hasPart": [
            {"@type": "Clip", "name": name, "startOffset": start, "endOffset": end}
            for name, start, end in CHAPTERS
        ],
    }
    script = json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    head = f'<script type="application/ld+json">{script}</script>'
    return page(title, head, f'<h1>{escape(title)}</h1>\n<iframe src="{escape(address)}"></iframe>')


async def embed(request: Request) -> Response:
    """The player page: a video element with caption tracks, and no more."""
    source = request.query_params.get("media", "/media/sample.mp4")
    body = player(source, sample_tracks(request), "/media/thumbnail.jpg")
    return page(request.query_params.get("title", TITLE), "", body)


async def lure_page(request: Request) -> Response:
    """A player page whose `video`, `caption` and `thumbnail` addresses are the caller's."""
    query = request.query_params
    caption = query.get("caption", "/media/sample.en.vtt")
    track = f'<track kind="subtitles" srclang="en" src="{escape(caption)}">'
    body = player(query.get("video", "/media/sample.mp4"), track, query.get("thumbnail", ""))
    return page("A lure", "", body)


async def lure_playlist(request: Request) -> Response:
    """An HLS playlist that names the address `to` as its variant, key, map or segment."""
    to, kind = request.query_params["to"], request.path_params["kind"]
    if kind == "master":
        return playlist_response(f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000,RESOLUTION=320x180\n{to}\n")
    tags = {"key": f'#EXT-X-KEY:METHOD=AES-128,URI="{to}"\n', "map": f'#EXT-X-MAP:URI="{to}"\n'}
    segment = to if kind == "segment" else "/hls60/0.ts"
    head = "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
    return playlist_response(f"{head}{tags.get(kind, '')}#EXTINF:1.0,\n{segment}\n#EXT-X-ENDLIST\n")
