"""The watch page, `/w/{token}`: a job's film beside its transcript. It reads, and it never says who asked.

The token is the secret; whoever has it may watch and save what the job's files are. Everything on the page is
our own: no script, style or picture of anybody else, and nothing is sent anywhere but here.
"""

import asyncio
import gzip
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bots.web.assets import Assets
from bots.web.files import EXTERNAL_TTL
from bots.web.player.lines import MAX_LINES, Section, read_srt, read_txt, read_vtt, sections
from bots.web.player.page import Page, Track, alive, is_watchable, page_of
from bots.web.problems import COMMON_HEADERS, EXPIRED, FILES_GONE, NOT_FOUND, problem, templates
from shared import jobs
from shared.database import Database
from shared.errors import JobError
from shared.links import LinkExpired, LinkInvalid, Links, WatchClaim
from shared.models import Artifact, ArtifactKind, Job, JobState
from shared.moment import exact
from shared.settings import Settings
from shared.storage import Disposition, Storage, StorageError
from shared.words import time_words

log = logging.getLogger(__name__)

SITTING = 6 * 3600
"""Seconds that the links of a page work at least, so that a film opened late is seen to its end."""

MAX_TRANSCRIPT = 64 * 1024 * 1024
"""Bytes of a transcript that is read for a page; nobody speaks that much."""

WORTH_PACKING = 32 * 1024  # bytes of a page
_SHOWN = (ArtifactKind.VIDEO, ArtifactKind.AUDIO, ArtifactKind.THUMBNAIL)


def watch_router(
    settings: Settings, database: Database, links: Links, storage: Storage, assets: Assets
) -> APIRouter:
    """The page, and the captions that its player shows."""
    watch = _Watch(settings, database, links, storage, assets)
    router = APIRouter()
    both = ["GET", "HEAD"]
    router.add_route("/w/{token}", watch.page, both, include_in_schema=False)
    router.add_route("/w/{token}/captions/{artifact}.vtt", watch.captions, both, include_in_schema=False)
    return router


@dataclass(frozen=True)
class _Opened:
    """A job that may be watched, and until when its token works."""

    job: Job
    artifacts: list[Artifact]
    claim: WatchClaim


class _Watch:
    def __init__(
        self, settings: Settings, database: Database, links: Links, storage: Storage, assets: Assets
    ) -> None:
        self._link_ttl = settings.link_ttl
        self._database = database
        self._links = links
        self._storage = storage
        self._assets = assets
        # Of every address, where a proxy puts us below a path.
        self._prefix = urlsplit(settings.effective_public_url).path.rstrip("/")

    async def page(self, request: Request) -> Response:
        opened = await self._open(request)
        if isinstance(opened, Response):
            return opened
        page = self._page_of(opened)
        track = page.track(request.query_params.get("language"))
        text = await read_text(self._storage, track.text) if track else None
        packs = "gzip" in request.headers.get("accept-encoding", "")
        address = f"{self._prefix}{request.url.path}"
        body, packed = await asyncio.to_thread(self._render, page, track, text, address, packs)
        headers = {
            **COMMON_HEADERS,
            "cache-control": "private, no-cache",
            "vary": "accept-encoding",
            "content-security-policy": page_policy(await self._external(opened.artifacts)),
            "cross-origin-opener-policy": "same-origin",
            "cross-origin-resource-policy": "same-origin",
        }
        return HTMLResponse(body, headers=headers | ({"content-encoding": "gzip"} if packed else {}))

    async def captions(self, request: Request) -> Response:
        """What a `<track>` loads. Always from here: one from another origin would not be shown."""
        opened = await self._open(request)
        if isinstance(opened, Response):
            return opened
        name = request.path_params["artifact"]
        wanted = [one for one in opened.artifacts if str(one.id) == name and one.format == "vtt"]
        text = await read_text(self._storage, wanted[0]) if wanted else None
        if text is None:
            return problem(request, NOT_FOUND)
        headers = {
            **COMMON_HEADERS,
            "cache-control": "private, max-age=3600",
            "content-security-policy": "default-src 'none'; sandbox",
            "cross-origin-resource-policy": "same-origin",
        }
        return Response(text, headers=headers, media_type="text/vtt")

    async def _open(self, request: Request) -> _Opened | Response:
        try:
            claim = self._links.read_watch(request.path_params["token"])
        except LinkExpired:
            return problem(request, EXPIRED)
        except LinkInvalid:
            return problem(request, NOT_FOUND)
        async with self._database.read() as session:
            job = await jobs.get(session, claim.job_id)
        if job is None or job.state is not JobState.DONE:
            return problem(request, NOT_FOUND)
        artifacts = alive(job, datetime.now(UTC))
        if not is_watchable(artifacts):
            return problem(request, FILES_GONE)
        return _Opened(job, artifacts, claim)

    def _page_of(self, opened: _Opened) -> Page:
        now = datetime.now(UTC)
        lives = max(SITTING, min(self._link_ttl, opened.claim.expires_at - int(time())))

        def sign(artifact: Artifact, disposition: Disposition) -> str:
            left = max(1, min(lives, int((artifact.expires_at - now).total_seconds())))
            return self._links.url(self._prefix, artifact.id, artifact.file_name, left, disposition)

        ends = min([now + timedelta(seconds=lives), *(artifact.expires_at for artifact in opened.artifacts)])
        return page_of(opened.job, opened.artifacts, sign, ends)

    def _render(
        self, page: Page, track: Track | None, text: str | None, address: str, packs: bool
    ) -> tuple[bytes, bool]:
        """The page's bytes, and whether they are packed. For a thread: ten hours of speech take a while."""
        found = read_sections(page, track, text) if track and text is not None else []
        html = templates.get_template("watch.html").render(
            page=page,
            track=track,
            sections=found,
            is_readable=text is not None,
            is_cut=sum(len(section.lines) for section in found) >= MAX_LINES,
            address=address,
            exact=exact,
            clock=clock,
            static=f"{self._prefix}/static/{self._assets.version}",
        )
        body = html.encode()
        if packs and len(body) >= WORTH_PACKING:
            return gzip.compress(body, 4), True
        return body, False

    async def _external(self, artifacts: Iterable[Artifact]) -> list[str]:
        """Where the storage would send a browser for what the page shows: our links redirect there."""
        asked = [
            await self._storage.external_link(
                artifact.storage_key,
                file_name=artifact.file_name,
                content_type=artifact.content_type,
                disposition="inline",
                ttl_seconds=EXTERNAL_TTL,
            )
            for artifact in artifacts
            if artifact.kind in _SHOWN
        ]
        return [url for url in asked if url]


def page_policy(external: Iterable[str] = ()) -> str:
    """The page's content security policy. `external` are addresses elsewhere that its media come from.

    Trusted types are switched off altogether: a script of ours that made markup from a stranger's words
    would fail instead.
    """
    parts = [urlsplit(url) for url in external]
    origins = " ".join(["'self'", *sorted({f"{part.scheme}://{part.netloc}" for part in parts})])
    return (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        f"img-src {origins}; media-src {origins}; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def clock(seconds: float) -> str:
    """The second in which a moment lies, as 1:23."""
    return time_words(int(seconds))


def read_sections(page: Page, track: Track, text: str) -> list[Section]:
    """The transcript's lines under their chapters, at most `MAX_LINES`."""
    if track.text.format == "txt":
        return read_txt(text)
    read = read_vtt if track.text.format == "vtt" else read_srt
    return sections(read(text)[:MAX_LINES], page.chapters)


async def read_text(storage: Storage, artifact: Artifact) -> str | None:
    """A stored text, wherever it lies; None when it is not there or is far too large."""
    if artifact.size > MAX_TRANSCRIPT:
        return None
    try:
        async with storage.at_hand(artifact.storage_key) as path:
            return await asyncio.to_thread(_read, path)
    except (OSError, StorageError, JobError) as error:
        log.error("a stored transcript cannot be read: %s", error)
        return None


def _read(path: Path) -> str:
    return path.read_bytes().decode(errors="replace").removeprefix("\ufeff")
