"""Cues to files for players and programs: SubRip, WebVTT, JSON. Text for people is in `prose`."""

import json
import re

from worker.captions.cues import Cue, Transcript
from worker.captions.decode import clean
from worker.captions.markup import rows

_SRT_TAG = re.compile(r"<(?=[/A-Za-z]|[0-9]+:)")
_TWO = [f"{number:02}" for number in range(100)]  # looked up: formatting is what stamps would cost
_THREE = [f"{number:03}" for number in range(1000)]


def safe_rows(text: str) -> str:
    """The text as rows that no format can take for its own structure: none empty, no control characters."""
    if text.isprintable() and text == text.strip():  # by far the most; no printable character parts rows
        return text
    return rows(clean(text.replace("\u2028", "\n")))


def one_line(text: str) -> str:
    """The text on one line: for names and titles."""
    return " ".join(safe_rows(text).split())


def write_srt(transcript: Transcript) -> str:
    """SubRip. It knows no speakers: a name stands before the text when the speaker changes."""
    blocks = []
    speaker = None
    for number, cue in enumerate(transcript.cues, 1):
        text = cue.text
        if cue.speaker and cue.speaker != speaker:
            text = f"{one_line(cue.speaker)}: {text}"
        speaker = cue.speaker
        start, end = _stamp(cue.start, ","), _stamp(max(cue.end, cue.start + 1), ",")
        blocks.append(f"{number}\n{start} --> {end}\n{_srt_text(text)}\n")
    return "\n".join(blocks)


def _srt_text(text: str) -> str:
    """SubRip has no escapes: what a player would take for markup is written with a look-alike."""
    text = safe_rows(text)
    if "<" in text:
        text = _SRT_TAG.sub("‹", text)
    if "{\\" in text:
        text = text.replace("{\\", "{ \\")
    return text.replace("-->", "→") if "-->" in text else text


def write_vtt(transcript: Transcript) -> str:
    """WebVTT that a browser's `<track>` takes whole, with speakers as voices."""
    blocks = ["WEBVTT\n"]
    for cue in transcript.cues:
        start, end = _stamp(cue.start, "."), _stamp(max(cue.end, cue.start + 1), ".")
        blocks.append(f"{start} --> {end}\n{_vtt_text(cue)}\n")
    return "\n".join(blocks)


def _vtt_text(cue: Cue) -> str:
    text = _escape(safe_rows(cue.text))
    speaker = one_line(cue.speaker) if cue.speaker else ""
    return f"<v {_escape(speaker)}>{text}" if speaker else text


def _escape(text: str) -> str:
    if "&" in text or "<" in text or ">" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def _stamp(moment: int, separator: str) -> str:
    seconds, fraction = divmod(moment, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    hour = _TWO[hours] if hours < 100 else str(hours)
    return f"{hour}:{_TWO[minutes]}:{_TWO[seconds]}{separator}{_THREE[fraction]}"


def write_json(transcript: Transcript) -> str:
    """JSON for programs; times in seconds. A word's text keeps its leading space."""
    return json.dumps(
        {
            "language": transcript.language,
            "chapters": [
                {"start": chapter.start, "end": chapter.end, "title": one_line(chapter.title)}
                for chapter in transcript.chapters
            ],
            "cues": [_json_cue(cue) for cue in transcript.cues],
        },
        ensure_ascii=False,
    )


def _json_cue(cue: Cue) -> dict[str, object]:
    return {
        "start": cue.start / 1000,
        "end": cue.end / 1000,
        "text": safe_rows(cue.text),
        "speaker": cue.speaker,
        "words": [{"start": word.start / 1000, "text": word.text} for word in cue.words],
    }
