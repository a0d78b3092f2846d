"""What one link may take of the machine's memory: links come from strangers, and small ones can unfold.

A few lines of a manifest can mean millions of fragments. What can be counted is refused by number; whatever
else grows meets the limit of the process, which yt-dlp sees as an ordinary MemoryError.
"""

import resource
from pathlib import Path
from typing import Any

from yt_dlp.downloader.fragment import FragmentFD

from shared.errors import Code
from worker.child.abort import TRIPWIRE

MAX_FRAGMENTS = 100_000  # of one format: more than a day in seconds
MAX_FORMATS = 2_000  # YouTube's most dubbed videos have about 500
# The largest page (16 MB) takes about 250 MB in a parser, and eight threads have stacks of 8 MB each.
MEMORY = 1024**3  # bytes a child may take beyond what it was forked with
_RESERVE = 64 * 1024**2  # bytes more for saying that it was too much, while what took it is still held
_STATM = Path("/proc/self/statm")
_STATM_DATA = 5  # the field for data and stack, in pages


def limit_memory() -> None:
    """Let this process take so much more and no further; nothing where the kernel does not say what it has.

    RLIMIT_AS would count address space that deno's engine only reserves, and end it.
    """
    if not _STATM.exists():
        return
    data = int(_STATM.read_text().split()[_STATM_DATA]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = data + MEMORY + _RESERVE
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (min(data + MEMORY, most), most))


def use_reserve() -> None:
    """Lift the limit a little, to answer after a MemoryError; `limit_again` undoes it."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def limit_again() -> None:
    """Put the limit back below the reserve."""
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_DATA, (max(0, hard - _RESERVE), hard))


def check_formats(info: dict[str, Any]) -> None:
    """Raise Abort(TOO_LARGE) for an info with more formats, or more fragments in one, than any real video."""
    found = info.get("formats") or ()
    if len(found) > MAX_FORMATS:
        raise TRIPWIRE.trip(Code.TOO_LARGE, f"{len(found)} formats, at most {MAX_FORMATS} allowed")
    for item in (info, *found):
        if isinstance(fragments := item.get("fragments"), list):
            _check_fragments(len(fragments))


def _check_fragments(count: int) -> None:
    if count > MAX_FRAGMENTS:
        raise TRIPWIRE.trip(Code.TOO_LARGE, f"{count} fragments, at most {MAX_FRAGMENTS} allowed")


def install() -> None:
    """Have yt-dlp's fragment downloaders refuse before they build their lists; once per process."""
    prepare = FragmentFD._prepare_frag_download

    def checked(downloader: Any, context: dict[str, Any]) -> Any:
        _check_fragments(context.get("total_frags") or 0)
        return prepare(downloader, context)

    FragmentFD._prepare_frag_download = checked
