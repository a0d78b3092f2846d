"""The caption formats of the site: plain VTT and SRT, and the automatic forms that video sites serve."""

import json
from collections.abc import Sequence

from tests.site.speech import Cue, words

WORDS_PER_LINE = 4


def timestamp(seconds: float, mark: str = ".") -> str:
    """`HH:MM:SS.mmm`; SRT wants a comma as `mark`."""
    whole, milliseconds = divmod(round(seconds * 1000), 1000)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}{mark}{milliseconds:03}"


def vtt(cues: Sequence[Cue], language: str = "en") -> str:
    """A plain WebVTT file."""
    blocks = [f"{timestamp(cue.start)} --> {timestamp(cue.end)}\n{cue.text}\n" for cue in cues]
    return "\n".join([f"WEBVTT\nKind: captions\nLanguage: {language}\n", *blocks])


def srt(cues: Sequence[Cue]) -> str:
    """A plain SubRip file."""
    return "\n".join(
        f"{number}\n{timestamp(cue.start, ',')} --> {timestamp(cue.end, ',')}\n{cue.text}\n"
        for number, cue in enumerate(cues, start=1)
    )


def json3(cues: Sequence[Cue]) -> str:
    """Manual captions as YouTube's json3: one event and one segment for each cue."""
    events = [
        {
            "tStartMs": round(cue.start * 1000),
            "dDurationMs": round((cue.end - cue.start) * 1000),
            "segs": [{"utf8": cue.text}],
        }
        for cue in cues
    ]
    return json.dumps({"wireMagic": "pb3", "pens": [{}], "events": events}, ensure_ascii=False)


Line = list[tuple[float, str]]  # words with their start in seconds


def heard_lines(cues: Sequence[Cue]) -> list[Line]:
    """What speech recognition makes of the clip: short lines of timed words, without punctuation."""
    lines = []
    for cue in cues:
        timed = words(cue)
        lines += [timed[at : at + WORDS_PER_LINE] for at in range(0, len(timed), WORDS_PER_LINE)]
    return lines


def heard_cues(cues: Sequence[Cue]) -> list[Cue]:
    """Automatic captions as cues that overlap: each line stays until the next one has been spoken."""
    lines = heard_lines(cues)
    starts = [line[0][0] for line in lines] + [cues[-1].end, cues[-1].end]
    return [
        Cue(starts[at], starts[at + 2], " ".join(word for _, word in line)) for at, line in enumerate(lines)
    ]


def rolling_json3(cues: Sequence[Cue]) -> str:
    """Automatic captions as YouTube's json3: word offsets, and an appended newline event between lines."""
    events: list[dict[str, object]] = [{"tStartMs": 0, "dDurationMs": round(cues[-1].end * 1000), "id": 1}]
    for line, cue in zip(heard_lines(cues), heard_cues(cues), strict=True):
        start = round(cue.start * 1000)
        if len(events) > 1:
            newline = {"tStartMs": start - 10, "dDurationMs": 10, "wWinId": 1, "aAppend": 1}
            events.append({**newline, "segs": [{"utf8": "\n"}]})
        segments: list[dict[str, object]] = [{"utf8": line[0][1], "acAsrConf": 0}]
        for at, word in line[1:]:
            segments.append({"utf8": f" {word}", "tOffsetMs": round(at * 1000) - start, "acAsrConf": 0})
        duration = round((cue.end - cue.start) * 1000)
        events.append({"tStartMs": start, "dDurationMs": duration, "wWinId": 1, "segs": segments})
    window = {"wsWinStyles": [{}, {"mhModeHint": 2}], "wpWinPositions": [{}, {"apPoint": 6}]}
    return json.dumps({"wireMagic": "pb3", "pens": [{}], **window, "events": events})


def rolling_vtt(cues: Sequence[Cue], language: str = "en") -> str:
    """Automatic captions as YouTube's VTT: two rows that roll up, so each line comes up to three times."""
    blocks = [f"WEBVTT\nKind: captions\nLanguage: {language}\n"]
    lines = heard_lines(cues)
    starts = [line[0][0] for line in lines] + [cues[-1].end]
    above = " "
    for at, line in enumerate(lines):
        plain = " ".join(word for _, word in line)
        timed = line[0][1] + "".join(f"<{timestamp(when)}><c> {word}</c>" for when, word in line[1:])
        still = starts[at + 1] - 0.01
        blocks.append(_placed(starts[at], still, above, timed))
        blocks.append(_placed(still, starts[at + 1], plain, " "))
        above = plain
    return "\n".join(blocks)


def _placed(start: float, end: float, above: str, below: str) -> str:
    return f"{timestamp(start)} --> {timestamp(end)} align:start position:0%\n{above}\n{below}\n"
