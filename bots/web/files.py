"""`GET /f/{token}/{filename}`: the files behind signed links (DESIGN, section 5).

The name in the link is only for people; the token alone decides. Whoever holds a link sees either the
file, "expired", or "not found": forged, revoked and deleted look the same.
"""

import asyncio
import logging
import os
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from pathlib import Path
from stat import S_ISREG
from time import time
from typing import BinaryIO
from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from bots.web.conditional import (
    NotSatisfiable,
    Span,
    Validators,
    precondition,
    wanted_span,
)
from bots.web.problems import COMMON_HEADERS, EXPIRED, NOT_FOUND, problem
from bots.web.sending import FileBody
from shared.filenames import content_disposition
from shared.links import LinkClaim, LinkExpired, LinkInvalid, Links
from shared.storage import Disposition, Storage

log = logging.getLogger(__name__)

MAX_AGE = 3600
"""Seconds a browser may show its own copy without asking again, so without noticing a revocation."""

EXTERNAL_TTL = 3600
"""The longest a presigned link lives that we redirect to, in seconds; the next request gets a new one."""

# What we hand out must not act as a page of ours: no scripts, no forms, nothing loaded.
_FILE_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox"

# A browser that opens a film directly wraps it in a page of its own, which inherits the policy and loads
# the film once more. Chromium asks for it with CORS, and an origin of its own (plain `sandbox`) would make
# that a foreign one: the player stays black. Tried with Chromium and Firefox; scripts stay forbidden.
_MEDIA_POLICY = (
    "default-src 'none'; media-src 'self'; img-src 'self'; style-src 'unsafe-inline'; "
    "sandbox allow-same-origin"
)

_ABOUT_THE_BODY = ("content-type", "content-disposition")

# What browsers only show or play. Anything else, above all HTML and SVG, is handed out as a download.
_SHOWABLE = re.compile(
    r"(video|audio)/[\w.+-]+|image/(png|jpeg|webp|gif|avif)|text/(plain|vtt)|application/json"
)


@dataclass(frozen=True)
class ServedFile:
    """What the database knows of an artifact. `size` is in bytes, `sha256` is lower-case hex.

    `expired`: it was kept as long as it was to be; `revoked` also says that it is not to be had.
    """

    key: str
    file_name: str
    content_type: str
    sha256: str
    size: int
    revoked: bool = False
    expired: bool = False


FindArtifact = Callable[[UUID], Awaitable[ServedFile | None]]


def files_router(links: Links, storage: Storage, find_artifact: FindArtifact) -> APIRouter:
    """The routes of signed links. `find_artifact` gives what the database knows of an id, or None."""

    async def serve(request: Request) -> Response:
        try:
            claim = links.read(request.path_params["token"])
        except LinkExpired:
            return problem(request, EXPIRED)
        except LinkInvalid:
            return problem(request, NOT_FOUND)
        artifact = await find_artifact(claim.artifact_id)
        if artifact is None or artifact.revoked:
            return problem(request, NOT_FOUND)
        if artifact.expired:
            return problem(request, EXPIRED)
        return await _serve_artifact(request, storage, artifact, claim)

    router = APIRouter()
    for path in ("/f/{token}", "/f/{token}/{filename:path}"):
        router.add_route(path, serve, methods=["GET", "HEAD"], include_in_schema=False)
    return router


async def _serve_artifact(
    request: Request, storage: Storage, artifact: ServedFile, claim: LinkClaim
) -> Response:
    disposition = shown_as(claim.disposition, artifact.content_type)
    remaining = max(1, claim.expires_at - int(time()))
    link = await storage.external_link(
        artifact.key,
        file_name=artifact.file_name,
        content_type=artifact.content_type,
        disposition=disposition,
        ttl_seconds=min(remaining, EXTERNAL_TTL),
    )
    headers = {
        **COMMON_HEADERS,
        "content-type": _with_charset(artifact.content_type),
        "content-disposition": content_disposition(disposition, artifact.file_name),
        "accept-ranges": "bytes",
    }
    if link is not None:
        return _elsewhere(request, link, artifact.size, headers)
    opened = await asyncio.to_thread(_open, storage.path(artifact.key), artifact.size)
    if opened is None:
        log.error("stored file is missing or has another size: %s", artifact.key)
        return problem(request, NOT_FOUND)
    file, modified = opened
    headers |= {
        "content-security-policy": _policy(artifact.content_type),
        # Players may be on another origin (localhost or 127.0.0.1, a chat page); the token is the secret.
        "cross-origin-resource-policy": "cross-origin",
        "cache-control": f"private, max-age={min(remaining, MAX_AGE)}, no-transform",
        "etag": f'"{artifact.sha256}"',
        "last-modified": formatdate(modified, usegmt=True),
    }
    return _answer(request, file, Validators(headers["etag"], modified), artifact.size, headers)


def _elsewhere(request: Request, link: str, size: int, headers: dict[str, str]) -> Response:
    """The way to a file that another server has. HEAD is answered here: that link is signed for GET alone.

    Without an entity tag, since the other server has one of its own.
    """
    if request.method == "HEAD":
        return Response(headers={**headers, "cache-control": "no-store", "content-length": str(size)})
    return RedirectResponse(link, HTTPStatus.FOUND, {**COMMON_HEADERS, "cache-control": "no-store"})


def _answer(
    request: Request, file: BinaryIO, validators: Validators, size: int, headers: dict[str, str]
) -> Response:
    """The response to a request for a file that is there. Closes the file unless the response sends it."""
    status = precondition(request.method, request.headers, validators)
    if status is not None:
        file.close()
        return _without_body(status, headers)
    try:
        span = wanted_span(request.method, request.headers, validators, size)
    except NotSatisfiable:
        file.close()
        headers["content-range"] = f"bytes */{size}"
        return _without_body(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, headers)
    if request.method == "HEAD":
        file.close()
        return Response(headers={**headers, "content-length": str(size)})
    if span is None:
        return FileBody(file, Span(0, size), HTTPStatus.OK, headers)
    headers["content-range"] = f"bytes {span.start}-{span.end - 1}/{size}"
    return FileBody(file, span, HTTPStatus.PARTIAL_CONTENT, headers)


def _without_body(status: HTTPStatus, headers: dict[str, str]) -> Response:
    kept = {name: value for name, value in headers.items() if name not in _ABOUT_THE_BODY}
    if status != HTTPStatus.NOT_MODIFIED:
        kept["cache-control"] = "no-store"  # an error about this request says nothing to the next one
    return Response(status_code=status, headers=kept)


def shown_as(wanted: Disposition, content_type: str) -> Disposition:
    """How a file of this type is handed out: inline only when it is wanted and harmless."""
    essence = content_type.partition(";")[0].strip().lower()
    return "inline" if wanted == "inline" and _SHOWABLE.fullmatch(essence) else "attachment"


def _policy(content_type: str) -> str:
    return _MEDIA_POLICY if content_type.startswith(("video/", "audio/")) else _FILE_POLICY


def _with_charset(content_type: str) -> str:
    """Our text files are UTF-8; without saying so browsers guess from the reader's language."""
    if content_type.startswith("text/") and "charset" not in content_type:
        return f"{content_type}; charset=utf-8"
    return content_type


def _open(path: Path | None, size: int) -> tuple[BinaryIO, int] | None:
    """The open file and its time in whole seconds since 1970; None when it is not what the database says."""
    if path is None:
        return None
    try:
        file = path.open("rb", buffering=0)
    except OSError:
        return None
    info = os.fstat(file.fileno())
    if not S_ISREG(info.st_mode) or info.st_size != size:
        file.close()
        return None
    return file, int(info.st_mtime)
