"""Make a killed fragment download resume at exactly the right byte.

yt-dlp notes the number of the last fragment in a `.ytdl` file after it appended the fragment. With several
fragments at once that number may run ahead of what was appended, and a kill between the two writes leaves
the pair in disagreement: the resumed file then has a hole or a part twice, silently. We note the number of
the fragment that really was appended together with the size of the file after it, replace the note in one
step, and cut the file back to that size before resuming.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from yt_dlp.downloader.fragment import FragmentFD

_SIZE = "part_size"


def install() -> None:
    """Have yt-dlp write its notes our way; once per process."""
    FragmentFD._write_ytdl_file = _write_note


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
