"""Fetch the chosen formats into the work folder, each into a file of its own, resuming what is there."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shared.errors import Code, JobError
from worker.child import resume
from worker.child.formats import Choice, Kind, height_of
from worker.child.progress import Meter
from worker.child.protocol import StreamFile
from worker.child.wire import Wire
from worker.child.ydl import Downloader, Info

_NOT_FORMAT = ("formats", "requested_formats", "requested_subtitles", "subtitles", "automatic_captions")
_SNIFF = 512  # bytes
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


def fetch_all(
    ydl: Downloader, info: Info, choices: Sequence[Choice], work_dir: Path, wire: Wire | None
) -> tuple[StreamFile, ...]:
    """Fetch one format after the other. Raises JobError, Abort or what yt-dlp raises."""
    targets = [work_dir / file_name(choice) for choice in choices]
    ydl.budget.start(_bytes_on_disk(targets))
    meter = Meter([choice.size for choice in choices])
    current = 0

    def hook(status: Info) -> None:
        meter.update(current, status)
        if wire is not None:
            wire.progress(meter.progress(), final=status.get("status") == "finished")

    ydl.add_progress_hook(hook)
    try:
        files = []
        for current, (choice, target) in enumerate(zip(choices, targets, strict=True)):  # noqa: B007
            files.append(_fetch(ydl, info, choice, target))
        return tuple(files)
    finally:
        ydl._progress_hooks.remove(hook)


def file_name(choice: Choice) -> str:
    """Our own name for a format's file; nothing a site says decides about a path."""
    identity = _UNSAFE.sub("_", str(choice.format.get("format_id") or "0"))[:60]
    extension = _UNSAFE.sub("", str(choice.format.get("ext") or ""))[:10] or "bin"
    prefix: dict[Kind, str] = {"both": "media", "video": "video", "audio": "audio"}
    return f"{prefix[choice.kind]}.{identity}.{extension}"


def _bytes_on_disk(targets: Iterable[Path]) -> int:
    """What earlier attempts left: whole files, partial ones and fragments."""
    found = (path for target in targets for path in target.parent.glob(f"{target.name}*"))
    return sum(path.stat().st_size for path in found if path.is_file())


def _fetch(ydl: Downloader, info: Info, choice: Choice, target: Path) -> StreamFile:
    resume.prepare(target, fragmented=str(choice.format.get("protocol")) not in ("http", "https"))
    merged: dict[str, Any] = {key: value for key, value in info.items() if key not in _NOT_FORMAT}
    merged |= choice.format
    succeeded, _ = ydl.dl(str(target), merged)
    if not succeeded or not target.is_file():
        raise JobError(Code.NETWORK, f"yt-dlp left no file for format {choice.format.get('format_id')}")
    size = target.stat().st_size
    if size == 0:
        target.unlink()
        raise JobError(Code.BROKEN_FILE, "the site sent an empty file")
    with target.open("rb") as file:
        head = file.read(_SNIFF)
    if looks_like_page(head):
        target.unlink()
        raise JobError(Code.UNSUPPORTED, "the site sent a web page instead of media")
    return StreamFile(path=str(target), kind=choice.kind, height=height_of(choice.format), size=size)


def looks_like_page(head: bytes) -> bool:
    """True for the beginning of an HTML document."""
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return start.startswith((b"<!doctype html", b"<html", b"<head", b"<body"))
