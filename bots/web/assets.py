"""Our own scripts, styles and pictures: `/static/{version}/{name}`. The version is a hash of them all.

A page names the version it was written for, so a browser may keep what it has for good. Another version is
answered too, by what there is: while machines are updated one by one, a page may come from either.
"""

from dataclasses import dataclass
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from time import time

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from bots.web.conditional import Validators, precondition

FOLDER = Path(__file__).parent / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
FOR_GOOD = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class Asset:
    """One file, held in memory."""

    body: bytes
    content_type: str
    etag: str


class Assets:
    """The files as they are at the start."""

    def __init__(self) -> None:
        self._files = {path.name: _read(path) for path in sorted(FOLDER.iterdir()) if path.suffix in TYPES}
        self._since = int(time())
        together = "".join(f"{name} {asset.etag}\n" for name, asset in self._files.items())
        self.version = sha256(together.encode()).hexdigest()[:16]

    def router(self) -> APIRouter:
        """The one route."""
        router = APIRouter()
        router.add_route("/static/{version}/{name}", self._serve, ["GET", "HEAD"], include_in_schema=False)
        return router

    async def _serve(self, request: Request) -> Response:
        asset = self._files.get(request.path_params["name"])
        if asset is None:
            return PlainTextResponse("There is no such file.\n", HTTPStatus.NOT_FOUND)
        is_current = request.path_params["version"] == self.version
        headers = {
            "etag": asset.etag,
            "cache-control": FOR_GOOD if is_current else "no-cache",
            "x-content-type-options": "nosniff",
            "cross-origin-resource-policy": "same-origin",
            "content-security-policy": "default-src 'none'; sandbox",
        }
        status = precondition(request.method, request.headers, Validators(asset.etag, self._since))
        if status is not None:
            return Response(status_code=status, headers=headers)
        return Response(asset.body, headers=headers, media_type=asset.content_type)


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    return Asset(body, TYPES[path.suffix], f'"{sha256(body).hexdigest()[:32]}"')
