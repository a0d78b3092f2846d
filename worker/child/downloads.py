"""Fetch the chosen formats into the work folder, each into a file of its own, resuming what is there."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from shared.errors import Code, JobError
from worker.child import failures, resuming
from worker.child.extras import image_type
from worker.child.formats import Choice, Kind
from worker.child.identity import digest
from worker.child.progress import Meter
from worker.child.protocol import StreamFile
from worker.child.wire import Wire
from worker.child.ydl import Downloader, Info

_NOT_FORMAT = ("formats", "requested_formats", "requested_subtitles", "subtitles", "automatic_captions")
_SNIFF = 512  # bytes
_NOT_IN_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # some Japanese encodings have \x1b
_MEDIA_DIGITS = 10
_UNSAFE = re.compile(r"[^A-Za-z0-9-]+")


def fetch_all(
    ydl: Downloader, info: Info, choices: Sequence[Choice], work_dir: Path, wire: Wire | None
) -> tuple[StreamFile, ...]:
    """Fetch one format after the other. Raises JobError, Abort or what yt-dlp raises."""
    targets = [work_dir / file_name(choice, _media_of(info)) for choice in choices]
    ydl.budget.start(_bytes_on_disk(targets))
    meter = Meter([choice.size for choice in choices])
    current = 0

    def hook(status: Info) -> None:
        meter.update(current, status)
        ydl.budget.expect(status.get("total_bytes"))
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


def _media_of(info: Info) -> str:
    return f"{info.get('extractor_key')} {info.get('id')}"


def file_name(choice: Choice, media: str) -> str:
    """Our own name for a format's file; nothing a site says decides about a path.

    It names the media, too: the first entry of a channel may be another one at the next attempt, which must
    not go on where this one ended.
    """
    identity = _UNSAFE.sub("_", str(choice.format.get("format_id") or "0"))[:60]
    extension = _UNSAFE.sub("", str(choice.format.get("ext") or ""))[:10] or "bin"
    prefix: dict[Kind, str] = {"both": "media", "video": "video", "audio": "audio"}
    return f"{prefix[choice.kind]}.{digest(media)[:_MEDIA_DIGITS]}.{identity}.{extension}"


def _bytes_on_disk(targets: Iterable[Path]) -> int:
    """What earlier attempts left: whole files, partial ones and fragments."""
    found = (path for target in targets for path in target.parent.glob(f"{target.name}*"))
    return sum(path.stat().st_size for path in found if path.is_file())


def _fetch(ydl: Downloader, info: Info, choice: Choice, target: Path) -> StreamFile:
    fragmented = str(choice.format.get("protocol")) not in ("http", "https")
    resuming.prepare(target, fragmented=fragmented)
    merged: dict[str, Any] = {key: value for key, value in info.items() if key not in _NOT_FORMAT}
    try:
        succeeded, _ = ydl.dl(str(target), merged | choice.format)
    except Exception as error:
        if fragmented and failures.explain(error).code is Code.NOT_FOUND:
            raise JobError(Code.BROKEN_FILE, f"a part of the stream is missing: {error}") from error
        raise
    if not succeeded or not target.is_file():
        raise JobError(Code.NETWORK, f"yt-dlp left no file for format {choice.format.get('format_id')}")
    size = target.stat().st_size
    if (code := _wrong_with(target, size)) is not None:
        target.unlink()
        raise JobError(code, "the site sent an empty file, a text or a picture instead of media")
    return StreamFile(path=str(target), kind=choice.kind, size=size)


def _wrong_with(file: Path, size: int) -> Code | None:
    if size == 0:
        return Code.BROKEN_FILE
    with file.open("rb") as opened:
        return Code.UNSUPPORTED if is_no_media(opened.read(_SNIFF)) else None


def is_no_media(head: bytes) -> bool:
    """True for the beginning of a picture or of a text, such as a web page or captions."""
    return image_type(head) is not None or (bool(head) and not _NOT_IN_TEXT.search(head))
