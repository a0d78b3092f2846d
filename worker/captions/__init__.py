"""Captions: one cue model, readers for what sites deliver, repair of rolling captions, writers.

    bytes ── read ──> cues ── repair ──> cues ── write_srt, write_vtt, write_txt ... ──> text

`convert` is the whole way in one call, and pure: no files, no network, no clock. The worker takes it through
`apart.convert_apart`, in a process of its own, because the files come from strangers.
"""

from worker.captions.convert import convert
from worker.captions.cues import Cue, ReadResult, Transcript, Word
from worker.captions.prose import write_markdown, write_txt
from worker.captions.readers import read
from worker.captions.rolling import repair
from worker.captions.writers import write_json, write_srt, write_vtt

__all__ = [
    "Cue",
    "ReadResult",
    "Transcript",
    "Word",
    "convert",
    "read",
    "repair",
    "write_json",
    "write_markdown",
    "write_srt",
    "write_txt",
    "write_vtt",
]
