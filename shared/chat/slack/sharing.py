"""Transcripts in Slack: a summary, and below it, in the same thread, one message with the files; each once.

The summary is a message of its own because its links must not be opened for a preview, which nothing forbids
in the message that shows files. In a channel it begins the thread in which the files are.

Slack takes a file in three steps: an id and an address for it, its bytes, and the message that shows it.
Nothing lets it refuse a second message. So every step is noted in `uploads` under a key of the place: first
that Slack has the bytes, then which message is the summary, at last that the files are shown. A try that
finds a note looks for what the next step would bring, and takes that step only where it is not there yet.
Looking needs a scope that the app can do without; a step is then taken again unseen, because one message too
many is better than none.
"""

import logging
from base64 import b32encode
from dataclasses import dataclass, replace
from hashlib import sha256
from uuid import UUID

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from sqlalchemy import delete, select

from shared.chat.files import PLAYED, length_of, written
from shared.chat.slack.blocks import Message
from shared.chat.slack.errors import code_of
from shared.chat.slack.files import Place, read_beginning, send_bytes, show_files
from shared.chat.slack.looking import are_shown, find_message
from shared.chat.slack.sending import send
from shared.chat.slack.summary import Track, first_words, summary
from shared.database import Database
from shared.errors import JobError
from shared.locks import Locks
from shared.models import Artifact, ArtifactKind, Job, JobState, Request, Upload
from shared.results import ArtifactView, JobView, chapters_of
from shared.storage import Storage, StorageError

log = logging.getLogger(__name__)

MOST = 5  # files in one message: a language each; links lead to the others
BEGINNING = 4096  # bytes of a transcript that its summary is made from

EVENT = "linkferry_transcript"  # the metadata by which a summary can be found again
_SENT, _TOLD = "sent:", "told:"  # before an id: Slack has the bytes; and people may see the summary

# Slack will never take files there: the links in the status message have to do.
_REFUSED = {
    "file_uploads_disabled", "file_upload_size_restricted", "missing_scope", "no_permission",
    "not_allowed_token_type", "posting_to_channel_denied", "restricted_action", "storage_limit_reached",
    "ekm_access_denied", "access_denied", "method_not_supported_for_channel_type",
}  # fmt: skip


def place_key(*names: str) -> str:
    """A key for a place, from whatever names the wish to share there: 32 characters, as `uploads` takes."""
    digest = sha256("\0".join(names).encode()).digest()[:16]
    return "slack:" + b32encode(digest).decode().rstrip("=").lower()


def place_of(request: Request, channel: str, message: str, view: JobView) -> Place | None:
    """The thread of the status message; None when there is no transcript for it, or links are wanted."""
    if view.state is not JobState.DONE or view.offers is not None or request.as_link:
        return None
    if any(each.kind in PLAYED for each in view.artifacts) or not written(view):
        return None
    return Place(channel, place_key(request.id.hex), request.thread_id or message, message)


def chosen(view: JobView) -> list[ArtifactView]:
    """The files to post: of each language the one that people read best, a few languages at most."""
    best: dict[tuple[str | None, str | None], ArtifactView] = {}
    for each in sorted(written(view), key=lambda each: each.kind is not ArtifactKind.TRANSCRIPT):
        if each.size_bytes:  # Slack takes no empty files
            best.setdefault((each.language, each.source), each)
    return list(best.values())[:MOST]


class Sharing:
    """Posts transcripts. Raises SlackApiError, OSError, aiohttp.ClientError: try again, it never doubles."""

    def __init__(self, database: Database, storage: Storage) -> None:
        self._database = database
        self._storage = storage
        self._locks = Locks()

    async def share(self, web: AsyncWebClient, place: Place, view: JobView) -> bool:
        """Post the view's transcripts and their summary; whether they are there, now or from an earlier try.

        False: there are none that can be read here, or Slack does not take files there.
        """
        files = chosen(view)
        try:
            async with self._locks.of(place.key):  # whoever wants the same finds what the first one noted
                return bool(files) and await self._share(web, place, view, files)
        except SlackApiError as error:
            if code_of(error) not in _REFUSED:
                raise
            log.warning("Slack takes no files in %s: %s", place.channel, code_of(error))
            return False
        except (StorageError, JobError, FileNotFoundError) as error:
            log.warning("a transcript is not kept, or there is no room for a copy: %s", error)
            return False

    async def _share(
        self, web: AsyncWebClient, place: Place, view: JobView, files: list[ArtifactView]
    ) -> bool:
        note = await self._noted(place)
        if note.is_shown:
            return True
        job, kept = await self._kept(view.job_id)
        titles = {each.id: each.file_name for each in view.artifacts}
        ids = note.ids or await self._send(web, place, files, kept)
        if not ids:
            return False
        summary_ts = note.summary
        if summary_ts is None:
            told = await self._summary(job, view, files, kept)
            summary_ts = await _tell(web, place, told, is_first=not note.ids)
            await self._note(place, ids, f"{_TOLD}{summary_ts}:")
        there = replace(place, thread=place.thread or summary_ts)
        if not await _show(web, there, ids, titles, is_first=note.summary is None):
            ids = await self._send(web, place, files, kept, f"{_TOLD}{summary_ts}:")
            if not ids:
                return False
            await show_files(web, there, ids, titles)
        await self._note(place, ids)
        return True

    async def _send(
        self,
        web: AsyncWebClient,
        place: Place,
        files: list[ArtifactView],
        kept: dict[UUID, str],
        state: str = _SENT,
    ) -> dict[UUID, str]:
        """Bring the files to Slack, where nobody sees them yet; their ids there, which are noted."""
        ids = {}
        for each in files:
            if each.id in kept:
                async with self._storage.at_hand(kept[each.id]) as path:
                    ids[each.id] = await send_bytes(web, path, each.file_name)
        if ids:
            await self._note(place, ids, state)
        return ids

    async def _summary(
        self, job: Job, view: JobView, files: list[ArtifactView], kept: dict[UUID, str]
    ) -> Message:
        lines = ""
        if files[0].id in kept:
            async with self._storage.at_hand(kept[files[0].id]) as path:
                lines = first_words(await read_beginning(path, BEGINNING))
        return summary(
            view.title or "",
            length_of(view),
            [Track(each.language, each.source) for each in files],
            chapters_of(job),
            view.watch_url,
            lines,
        )

    async def _kept(self, job_id: UUID) -> tuple[Job, dict[UUID, str]]:
        """The job, and the storage keys of its files that are still there, by artifact."""
        async with self._database.read() as session:
            job = await session.get_one(Job, job_id)
            found = await session.scalars(
                select(Artifact).where(Artifact.job_id == job_id, Artifact.deleted_at.is_(None))
            )
            return job, {artifact.id: artifact.storage_key for artifact in found}

    async def _noted(self, place: Place) -> "_Note":
        async with self._database.read() as session:
            rows = await session.scalars(select(Upload).where(Upload.platform == place.key))
            return _read_note({row.artifact_id: row.file_id for row in rows})

    async def _note(self, place: Place, ids: dict[UUID, str], state: str = "") -> None:
        """These are the files of this place from now on, instead of what was noted before."""
        async with self._database.write() as session:
            await session.execute(delete(Upload).where(Upload.platform == place.key))
            session.add_all(
                Upload(platform=place.key, artifact_id=artifact, file_id=state + name)
                for artifact, name in ids.items()
            )


@dataclass(frozen=True)
class _Note:
    """How far it is: files that Slack has, by artifact; the `ts` of the summary; whether people see all."""

    ids: dict[UUID, str]
    summary: str | None = None
    is_shown: bool = False


def _read_note(noted: dict[UUID, str]) -> _Note:
    """`sent:<file>`, then `told:<ts>:<file>`, then `<file>`."""
    ids = {artifact: name.rpartition(":")[2] for artifact, name in noted.items()}
    states = {name.rpartition(":")[0] for name in noted.values()}
    told = next((state.removeprefix(_TOLD) for state in states if state.startswith(_TOLD)), None)
    return _Note(ids, told, is_shown=states == {""})


async def _tell(web: AsyncWebClient, place: Place, told: Message, *, is_first: bool) -> str:
    """Post the summary, unless an earlier try has; its `ts`."""
    metadata = {"event_type": EVENT, "event_payload": {"place": place.key}}
    found = None
    if not is_first:
        found = await find_message(web, place.channel, place.thread, place.since, metadata)
    return found or await send(web, place.channel, told, place.thread, metadata)


async def _show(
    web: AsyncWebClient, place: Place, ids: dict[UUID, str], titles: dict[UUID, str], *, is_first: bool
) -> bool:
    """Show the files, unless an earlier try has; False when Slack no longer knows them."""
    names = set(ids.values())
    if not is_first and await are_shown(web, place.channel, place.thread, place.since, names):
        return True
    try:
        await show_files(web, place, ids, titles)
    except SlackApiError as error:
        if code_of(error) == "file_not_found":
            return False
        if code_of(error) != "file_already_completed":  # what was completed is shown: that is one step
            raise
    return True
