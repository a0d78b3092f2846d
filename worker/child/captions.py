"""Fetch caption tracks. One track that fails never spoils the others."""

import logging
from pathlib import Path

from shared.errors import Code, JobError
from worker.child import describe, failures, tracks
from worker.child.abort import TRIPWIRE, Abort
from worker.child.protocol import CaptionFile, Failed
from worker.child.tracks import Pick, Track
from worker.child.ydl import Downloader, Info

log = logging.getLogger("linkferry.child")

MAX_TRACK = 20 * 1024 * 1024  # bytes


def fetch_all(
    ydl: Downloader, info: Info, languages: tuple[str, ...], work_dir: Path
) -> tuple[CaptionFile, ...]:
    """Fetch what fits the languages. Raises JobError only when tracks were there and every one failed."""
    picks = tracks.choose(
        info.get("subtitles") or {},
        info.get("automatic_captions") or {},
        languages,
        describe.original_language(info),
    )
    files: list[CaptionFile] = []
    failed: list[Failed] = []
    for place, pick in enumerate(picks):
        result = _fetch_pick(ydl, info, pick, place, work_dir)
        if isinstance(result, CaptionFile):
            files.append(result)
        else:
            failed.append(result)
    if failed and not files:
        worst = next((failure for failure in failed if failure.code is Code.THROTTLED), failed[0])
        raise JobError(worst.code, f"no caption track: {worst.detail}", retry_after=worst.retry_after)
    return tuple(files)


def _fetch_pick(ydl: Downloader, info: Info, pick: Pick, place: int, work_dir: Path) -> CaptionFile | Failed:
    """Try a track's formats in order, unless the site asks to slow down."""
    failure = Failed(code=Code.NO_CAPTIONS, detail="no format")
    for track in pick.formats:
        extension = describe.clean(track.get("ext") or "vtt", 10)
        target = work_dir / f"captions.{place}.{extension if extension.isalnum() else 'txt'}"
        TRIPWIRE.reset()
        try:
            _fetch_track(ydl, info, track, target)
            return CaptionFile(path=str(target), language=pick.language, source=pick.source, format=extension)
        except (Exception, Abort) as error:
            failure = failures.explain(error)
            log.info("captions %s (%s): %s", pick.language, extension, failure.detail)
        finally:
            TRIPWIRE.reset()
        if failure.code is Code.THROTTLED:
            break
    return failure


def _fetch_track(ydl: Downloader, info: Info, track: Track, target: Path) -> None:
    if track.get("data") is not None:
        target.write_text(track["data"][:MAX_TRACK], encoding="utf-8")
        return
    target.unlink(missing_ok=True)
    with ydl.budget.at_most(MAX_TRACK):
        # Not the return value: yt-dlp's HLS downloader gives none for captions in several parts.
        ydl.dl(
            str(target), {"http_headers": info.get("http_headers"), **track, "id": info["id"]}, subtitle=True
        )
    if not target.is_file() or target.stat().st_size == 0:
        raise JobError(Code.BROKEN_FILE, "an empty caption track")
