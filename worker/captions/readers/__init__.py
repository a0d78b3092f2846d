"""Caption files of every format a site delivers, into cues. Bytes in, never an exception out."""

from collections.abc import Callable

from worker.captions.cues import ReadResult
from worker.captions.decode import MAX_BYTES, decode, sniff
from worker.captions.readers.ass import read_ass
from worker.captions.readers.lrc import read_lrc
from worker.captions.readers.srt_vtt import read_srt, read_vtt
from worker.captions.readers.ttml import read_ttml
from worker.captions.readers.youtube import read_json3, read_srv1, read_srv2, read_srv3

READERS: dict[str, Callable[[str], ReadResult]] = {
    "ass": read_ass,
    "dfxp": read_ttml,
    "json3": read_json3,
    "lrc": read_lrc,
    "srt": read_srt,
    "srv1": read_srv1,
    "srv2": read_srv2,
    "srv3": read_srv3,
    "ssa": read_ass,
    "ttml": read_ttml,
    "vtt": read_vtt,
}


def read(data: bytes, format: str) -> ReadResult:
    """The cues of a caption file, in the file's order, and how many of its parts could not be read.

    `format` is the site's own name for it. Sites mislabel, so when the name is unknown or gives nothing,
    the format that the text looks like is tried. Only the first 50 MB are read; the rest counts as one
    part skipped.
    """
    text = decode(data)
    named = READERS.get(format.lower())
    result = named(text) if named else ReadResult([], 0)
    if not result.cues:
        looks_like = sniff(text)
        if looks_like and READERS[looks_like] is not named:
            second = READERS[looks_like](text)
            result = second if second.cues or not named else result
    cut = 1 if len(data) > MAX_BYTES else 0
    return ReadResult(result.cues, result.skipped + cut)
