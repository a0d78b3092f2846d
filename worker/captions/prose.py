"""A transcript as text that a person wants to read: paragraphs, headings, speakers."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.moment import at_moment
from worker.captions.cues import Cue, Transcript
from worker.captions.writers import one_line, safe_rows

PAUSE = 2000  # ms of silence that end a paragraph
LAST_WORD = 1500  # ms; a word takes no longer, though its caption may stay on the screen
ENOUGH = 500  # characters after which a paragraph ends with its sentence
TOO_MUCH = 1000  # characters after which it ends anyway: many automatic captions have no sentences

# Scripts that put no space between words. Korean does, so Hangul is not among them.
_NO_SPACE = re.compile(
    "[\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u3190-\ua4cf\uf900-\ufaff"
    "\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff]"
)
_WIDE_MARK = re.compile("[\u3000-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65]")
SENTENCE_MARK = r"[.!?…。！？｡؟۔।॥።៖][\"'”’»」』)\]）\u200e\u200f]*"
_SENTENCE_END = re.compile(SENTENCE_MARK + r"\Z")
_NEW_LINE = re.compile(r"[-–—‐] ?\S|>> ?\S|[♪♫♬]")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>#|~&])")


@dataclass(slots=True)
class Paragraph:
    """What one person says in one go. `start` in milliseconds; `heading` opens a chapter before it."""

    start: int
    text: str
    speaker: str | None = None
    heading: str | None = None


def glue(left: str, right: str) -> str:
    """What belongs between two pieces of running text: a space, except where the script has none."""
    if not left or not right:
        return ""
    last, first = left[-1], right[0]
    if last < "\u0e00" and first < "\u0e00":
        return " "
    if _WIDE_MARK.match(last) or _WIDE_MARK.match(first):
        return ""
    return "" if _NO_SPACE.match(last) and _NO_SPACE.match(first) else " "


def ends_sentence(text: str) -> bool:
    """Whether the text ends where a sentence does."""
    return _SENTENCE_END.search(text[-20:]) is not None


def opens_line(row: str) -> bool:
    """Whether a row begins on a line of its own: dashes, arrows and notes say somebody else, or a song."""
    return _NEW_LINE.match(row) is not None


def spoken_until(cue: Cue) -> int:
    """When a cue's last word is over, in milliseconds."""
    return min(cue.end, cue.words[-1].start + LAST_WORD) if cue.words else cue.end


def paragraphs(transcript: Transcript) -> Iterator[Paragraph]:
    """The cues joined to paragraphs: a new one at a chapter, a speaker, a pause, or when it gets long."""
    chapters = sorted(transcript.chapters, key=lambda chapter: chapter.start)
    starts = [round(chapter.start * 1000) for chapter in chapters]
    entered = 0
    current: Paragraph | None = None
    silent_from = 0
    for cue in transcript.cues:
        heading = None
        while entered < len(starts) and starts[entered] < (cue.start + cue.end) / 2:
            heading = one_line(chapters[entered].title)
            entered += 1
        if current and (heading or _ends(current, cue, silent_from)):
            yield current
            current = None
        if current is None:
            current = Paragraph(cue.start, "", cue.speaker, heading)
        current.text = _join(current.text, cue.text)
        silent_from = spoken_until(cue)
    if current:
        yield current


def _ends(paragraph: Paragraph, cue: Cue, silent_from: int) -> bool:
    if cue.start - silent_from >= PAUSE or cue.speaker != paragraph.speaker:
        return True
    length = len(paragraph.text)
    return length >= TOO_MUCH or (length >= ENOUGH and ends_sentence(paragraph.text))


def _join(text: str, cue_text: str) -> str:
    for row in safe_rows(cue_text).split("\n"):
        between = "\n" if text and opens_line(row) else glue(text, row)
        text += between + row
    return text


def write_txt(transcript: Transcript, *, timestamps: bool = False) -> str:
    """Plain text: paragraphs parted by empty lines, chapters as headings."""
    blocks = []
    for paragraph in paragraphs(transcript):
        if paragraph.heading:
            blocks.append(f"== {paragraph.heading} ==")
        prefix = f"[{moment(paragraph.start)}] " if timestamps else ""
        if paragraph.speaker:
            prefix += f"{one_line(paragraph.speaker)}: "
        blocks.append(prefix + paragraph.text)
    return "\n\n".join(blocks) + "\n" if blocks else ""


def write_markdown(transcript: Transcript) -> str:
    """Markdown whose paragraphs start with a time, which opens the watch page at that moment."""
    page = transcript.watch_url
    blocks = []
    for paragraph in paragraphs(transcript):
        if paragraph.heading:
            blocks.append(f"## {_markdown(paragraph.heading)}")
        time = moment(paragraph.start)
        line = f"[{time}]({at_moment(page, paragraph.start / 1000)}) " if page else f"{time} "
        if paragraph.speaker:
            line += f"**{_markdown(one_line(paragraph.speaker))}:** "
        blocks.append(line + _markdown(paragraph.text).replace("\n", "  \n"))
    return "\n\n".join(blocks) + "\n" if blocks else ""


def _markdown(text: str) -> str:
    return re.sub(r"(?m)^([-+] ?)", r"\\\1", _MARKDOWN.sub(r"\\\1", text))


def moment(milliseconds: int) -> str:
    """A time as people write it: 1:23 or 1:02:03."""
    minutes, seconds = divmod(milliseconds // 1000, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
