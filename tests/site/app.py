"""The site as one ASGI application."""

import asyncio
from pathlib import Path
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.site import pages
from tests.site.faults import Faults
from tests.site.files import FOLDERS, Files, Ledger, Library
from tests.site.tube import Tube

FAULTS_ON_FILES = ("cut", "trickle", "length", "norange", "stall", "hang", "html", "empty")


class Counted:
    """Counts requests and body bytes; `?latency=SECONDS` on any address delays its answer."""

    def __init__(self, app: ASGIApp, ledger: Ledger) -> None:
        self._app = app
        self._ledger = ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            self._ledger.bytes_sent += len(message.get("body", b""))
            await send(message)

        if not scope["path"].startswith("/-/"):
            self._ledger.requests[scope["path"]] += 1
        latency = parse_qs(scope["query_string"].decode()).get("latency")
        if latency:
            await asyncio.sleep(float(latency[0]))
        await self._app(scope, receive, counted)


def create_app(root: Path, ledger: Ledger) -> ASGIApp:
    """The site over the media built in `root`."""
    library = Library(root)
    files, faults, tube = Files(library), Faults(library, ledger), Tube(library, ledger)

    async def stats(_: Request) -> Response:
        return JSONResponse({"hits": ledger.requests, "bytes_sent": ledger.bytes_sent})

    async def reset(_: Request) -> Response:
        ledger.reset()
        return Response(status_code=204)

    folders = (*FOLDERS, "big")
    routes = [
        Route("/watch/{name}", pages.watch),
        Route("/embed/sample", pages.embed),
        Route("/lure/page", pages.lure_page),
        Route("/lure/{kind}.m3u8", pages.lure_playlist),
        *(Route(f"/{folder}/{{name}}.m3u8", files.playlist) for folder in ("hls", "hls60")),
        *(Route(f"/{folder}/{{name}}", files.file) for folder in folders),
        Route("/fault/status/{code:int}/{path:path}", faults.status),
        *(Route(f"/fault/{kind}/{{path:path}}", getattr(faults, kind)) for kind in FAULTS_ON_FILES),
        Route("/endless.mp4", faults.endless),
        Route("/endless/index.m3u8", faults.endless_playlist),
        Route("/endless/live.m3u8", faults.live_playlist),
        Route("/endless/live.mpd", faults.live_manifest),
        Route("/endless/{part:int}.ts", faults.endless_segment),
        Route("/redirect", faults.redirect),
        Route("/redirect/loop", faults.redirect_loop),
        Route("/tube/api/player", tube.player),
        Route("/tube/api/timedtext", tube.timedtext),
        Route("/-/stats", stats),
        Route("/-/reset", reset, methods=["POST"]),
    ]
    return Counted(Starlette(routes=routes), ledger)
