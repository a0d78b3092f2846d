"""Fetch caption tracks. One track that fails never spoils the others, and all of them never the job."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from shared.errors import Code, JobError
from worker.child import describe, failures, resuming, tracks
from worker.child.abort import TRIPWIRE, Abort
from worker.child.patience import Patience, at_most
from worker.child.protocol import CaptionFile, Failed
from worker.child.tracks import Pick, Track
from worker.child.ydl import Downloader, Info

log = logging.getLogger("linkferry.child")

MAX_TRACK = 20 * 1024 * 1024  # bytes
MAX_ALL_TRACKS = 3 * MAX_TRACK
_THREADS = "concurrent_fragment_downloads"
_GIVE_UP = frozenset({Code.THROTTLED, Code.STALLED})  # the same site will not do better with another format


def fetch_all(
    ydl: Downloader,
    info: Info,
    languages: tuple[str, ...],
    work_dir: Path,
    patience: Patience,
    alive: Callable[[], None],
) -> tuple[CaptionFile, ...]:
    """Fetch what fits the languages. Raises JobError only when tracks were there and every one failed.

    The tracks share a number of bytes and a time. `alive` is called after each one.
    """
    picks = tracks.choose(
        info.get("subtitles") or {},
        info.get("automatic_captions") or {},
        languages,
        describe.original_language(info),
    )
    files: list[CaptionFile] = []
    failed: list[Failed] = []
    give_up = time.monotonic() + patience.for_all_tracks()
    with _single_threaded(ydl), ydl.budget.at_most(MAX_ALL_TRACKS):
        for place, pick in enumerate(picks):
            seconds = min(patience.for_one(), give_up - time.monotonic())
            if seconds <= 0 or not ydl.budget.left:
                log.info("captions: %d of %d tracks are left out", len(picks) - place, len(picks))
                failed.append(Failed(code=Code.STALLED, detail="the tracks take too long or too much space"))
                break
            result = _fetch_pick(ydl, info, pick, place, work_dir, seconds)
            if isinstance(result, CaptionFile):
                files.append(result)
            else:
                failed.append(result)
            alive()
    if failed and not files:
        worst = next((failure for failure in failed if failure.code is Code.THROTTLED), failed[0])
        raise JobError(worst.code, f"no caption track: {worst.detail}", retry_after=worst.retry_after)
    return tuple(files)


@contextmanager
def _single_threaded(ydl: Downloader) -> Iterator[None]:
    """The alarm ends the main thread's work; other threads would go on."""
    usual = ydl.params[_THREADS]
    ydl.params[_THREADS] = 1
    try:
        yield
    finally:
        ydl.params[_THREADS] = usual


def _fetch_pick(
    ydl: Downloader, info: Info, pick: Pick, place: int, work_dir: Path, seconds: float
) -> CaptionFile | Failed:
    """Try a track's formats in order for so long, unless the site asks to slow down."""
    failure = Failed(code=Code.NO_CAPTIONS, detail="no format")
    ends = time.monotonic() + seconds
    for track in pick.formats:
        extension = describe.clean(track.get("ext") or "vtt", 10)
        target = work_dir / f"captions.{place}.{extension if extension.isalnum() else 'txt'}"
        TRIPWIRE.reset()
        try:
            with at_most(ends - time.monotonic()):
                _fetch_track(ydl, info, track, target)
            return CaptionFile(path=str(target), language=pick.language, source=pick.source, format=extension)
        except (Exception, Abort) as error:
            failure = failures.explain(TRIPWIRE.first or error)
            log.info("captions %s (%s): %s", pick.language, extension, failure.detail)
        finally:
            TRIPWIRE.reset()
        if failure.code in _GIVE_UP:
            break
    return failure


def _fetch_track(ydl: Downloader, info: Info, track: Track, target: Path) -> None:
    resuming.start_anew(target)
    if track.get("data") is not None:
        text = track["data"][:MAX_TRACK].encode(errors="replace")
        ydl.budget.add(len(text))
        target.write_bytes(text)
        return
    with ydl.budget.at_most(min(MAX_TRACK, ydl.budget.left)):
        # Not the return value: yt-dlp's HLS downloader gives none for captions in several parts.
        ydl.dl(
            str(target), {"http_headers": info.get("http_headers"), **track, "id": info["id"]}, subtitle=True
        )
    if not target.is_file() or target.stat().st_size == 0:
        raise JobError(Code.BROKEN_FILE, "an empty caption track")
