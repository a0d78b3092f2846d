"""Make a killed download resume at exactly the right byte, and a forbidden one end at once.

yt-dlp notes the number of the last fragment in a `.ytdl` file after it appended the fragment. With several
fragments at once that number may run ahead of what was appended, and a kill between the two writes leaves
the pair in disagreement: the resumed file then has a hole or a part twice, silently. We note the number of
the fragment that really was appended together with the size of the file after it, replace the note in one
step, and cut the file back to that size before resuming.

A partial file that was whole already is answered with 416; yt-dlp then asks again without a range, but its
requests share their headers, so the range stays in and the download can never end. Ours have their own.

yt-dlp also queues every fragment at once: a hundred thousand of them run far ahead of what is appended, and
when one fails all the others are tried first. Our pool looks only a little ahead.
"""

import concurrent.futures
import glob
import itertools
import json
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from yt_dlp.downloader import fragment
from yt_dlp.downloader.fragment import FragmentFD
from yt_dlp.networking.common import Request
from yt_dlp.utils.networking import HTTPHeaderDict

from worker.child.ydl import FRAGMENTS_AT_ONCE

_SIZE = "part_size"
_AHEAD = 3 * FRAGMENTS_AT_ONCE


def install() -> None:
    """Have yt-dlp write its notes, send its headers and run its threads our way; once per process."""
    FragmentFD._write_ytdl_file = _write_note
    Request.headers = Request.headers.setter(_set_own_headers)
    futures = {**vars(concurrent.futures), "ThreadPoolExecutor": _Pool}
    fragment.concurrent = SimpleNamespace(futures=SimpleNamespace(**futures))


def _set_own_headers(request: Any, headers: Mapping[str, str]) -> None:
    request._headers = HTTPHeaderDict(headers)


class _Pool(concurrent.futures.ThreadPoolExecutor):
    """Looks a little ahead only, and drops what is still queued when the work has failed."""

    def map(self, fn: Callable[..., Any], *iterables: Iterable[Any], **_: Any) -> Iterator[Any]:
        """The results in order, as the work goes on."""
        todo = zip(*iterables, strict=False)
        running = deque(self.submit(fn, *args) for args in itertools.islice(todo, _AHEAD))
        while running:
            yield running.popleft().result()
            running.extend(self.submit(fn, *args) for args in itertools.islice(todo, 1))

    def __exit__(self, kind: Any, *_: object) -> None:
        self.shutdown(wait=kind is None, cancel_futures=True)


def prepare(target: Path, *, fragmented: bool) -> None:
    """Before a download: cut the partial file back to the last note; without a good note start anew.

    A plain download needs no note: its partial file is always a beginning of the whole.
    """
    if not fragmented:
        return
    note, part = target.with_name(f"{target.name}.ytdl"), target.with_name(f"{target.name}.part")
    size = _noted_size(note)
    if size is not None and part.is_file() and part.stat().st_size >= size:
        os.truncate(part, size)
    else:
        note.unlink(missing_ok=True)
        part.unlink(missing_ok=True)


def start_anew(target: Path) -> None:
    """Remove a file and whatever an earlier download of it, or of another one by that name, left."""
    for path in target.parent.glob(f"{glob.escape(target.name)}*"):
        if path.is_file():
            path.unlink()


def _noted_size(note: Path) -> int | None:
    try:
        size = json.loads(note.read_text())["downloader"][_SIZE]
    except (ValueError, KeyError, TypeError, OSError):
        return None
    return size if isinstance(size, int) else None


def _write_note(downloader: Any, context: dict[str, Any]) -> None:
    if sys.exc_info()[0] is not None:  # called from `finally`: the fragment was not written whole
        return
    appended = context.get("fragment_filename_sanitized")
    stream = context.get("dest_stream")
    state: dict[str, Any] = {
        "current_fragment": {
            "index": int(appended.rpartition("-Frag")[2]) if appended else context["fragment_index"]
        },
        _SIZE: stream.tell() if stream is not None else 0,
    }
    if "extra_state" in context:
        state["extra_state"] = context["extra_state"]
    if context.get("fragment_count") is not None:
        state["fragment_count"] = context["fragment_count"]
    note = Path(downloader.ytdl_filename(context["filename"]))
    temporary = note.with_name(f"{note.name}.new")
    temporary.write_text(json.dumps({"downloader": state}))
    temporary.replace(note)
