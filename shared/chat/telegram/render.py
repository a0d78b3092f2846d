"""What a status message in Telegram reads, and the buttons under it. Pure: a view goes in, HTML comes out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from uuid import UUID

from shared.chat.choices import choices
from shared.chat.files import MADE, PLAYED, WRITTEN, main_artifact, written
from shared.chat.telegram.markup import MAX_CAPTION, MAX_TEXT, Line, clean, compose, fits
from shared.chat.words import ASK, GONE, describe, facts, share, soon_words, stage_words
from shared.errors import FAILURES, Code
from shared.languages import language_name
from shared.models import ArtifactKind, JobState
from shared.results import ArtifactView, JobView
from shared.words import size_words, time_words, utc_words

BAR = 12  # characters
MOST_TRACKS = 6  # lines and buttons for transcripts
NO_PUBLIC_URL = (
    "Its link opens only on the machine that I run on. Ask the owner of this bot to give it a public address."
)
ONE_FILE = (
    "A message holds one file; for another send /subs and the link with one language and one format, "
    "like /subs LINK en srt."
)


@dataclass(frozen=True)
class Button:
    """A button: `data` comes back when it is pressed, `url` opens. One of them is set."""

    label: str
    data: str | None = None
    url: str | None = None


Rows = tuple[tuple[Button, ...], ...]


@dataclass(frozen=True)
class Message:
    """What people see: HTML, and rows of buttons."""

    text_html: str
    buttons: Rows = ()


def status(
    view: JobView,
    request_id: UUID,
    *,
    can_link: bool,
    carries_file: bool = False,
    because: str = "",
    transcript: str = "",
    is_plain: bool = False,
) -> Message:
    """The status message of a request.

    `can_link`: Telegram takes buttons with our links, see `is_linkable`. `carries_file`: the result itself is
    in the message, and this is its caption. `because`: why it is not, one sentence. `transcript`: its text,
    which is quoted where all of it fits. `is_plain`: words only, for when Telegram takes nothing else.
    """
    limit = MAX_CAPTION if carries_file else MAX_TEXT
    lines, buttons = [_title(view)], _buttons(view, request_id, can_link)
    if view.state is JobState.DONE:
        lines += [Line(clean(view.note or ""), "i", is_long=True)]
        if view.offers is not None:
            lines.insert(1, Line(ASK))
        else:
            lines[1:1] = _delivered(view)
            lines += _where(view, can_link, carries_file, because)
            lines = _with_quote(lines, transcript, limit)
    else:
        lines += _going(view)
    if is_plain:
        links = [Line(f"{each.label}: {each.url}") for row in buttons for each in row if each.url]
        lines, buttons = [replace(line, tag="") for line in (*lines, *links)], ()
    words = compose(lines, limit)  # Telegram refuses a message without any
    return Message(words or ("" if carries_file else view.state.capitalize()), buttons)


def _title(view: JobView) -> Line:
    length = time_words(view.duration_seconds) if view.duration_seconds and view.offers else ""
    return Line(" · ".join(filter(None, (clean(view.title or ""), length))), "b", is_long=True)


def _going(view: JobView) -> list[Line]:
    """What a job that is not done does."""
    if view.state is JobState.FAILED and view.error is not None:
        return [Line(clean(view.error.message), is_long=True)]
    if view.state is JobState.CANCELLED:
        told = FAILURES[Code.CANCELLED]
        return [Line(f"{told.sentence} {told.next_step}")]
    now = Line(" · ".join([clean(stage_words(view)), *_when(view)]), is_long=True)
    return [now, *_progress(view.progress or {})]


def _when(view: JobView) -> list[str]:
    """Where a waiting job stands, and how long it will wait."""
    found = []
    if view.retry_in is not None:
        found.append(f"next try in {soon_words(view.retry_in)}")
    elif view.position:
        found.append(f"number {view.position} in line")
        if view.starts_in:
            found.append(f"starts in about {soon_words(view.starts_in)}")
    return found


def _progress(progress: dict[str, float]) -> list[Line]:
    done = share(progress)
    full = round((done or 0) * BAR)
    bar = "" if done is None else f"{'█' * full}{'░' * (BAR - full)} {done:.0%}"
    return [Line(bar), Line(" · ".join(facts(progress)), is_long=True)]


def _delivered(view: JobView) -> list[Line]:
    """What was really delivered: the file with its length, then the transcripts, one line a track."""
    found = []
    for artifact in view.artifacts:
        if artifact.kind in PLAYED:
            seconds = artifact.duration_seconds or view.duration_seconds
            found.append(describe(artifact) + (f" · {time_words(seconds)}" if seconds else ""))
    tracks: dict[tuple[str | None, str | None], list[ArtifactView]] = {}
    for artifact in view.artifacts:
        if artifact.kind in WRITTEN:
            tracks.setdefault((artifact.language, artifact.source), []).append(artifact)
    found += [_track(*track, files) for track, files in islice(tracks.items(), MOST_TRACKS)]
    if len(tracks) > MOST_TRACKS:
        found.append(f"and {len(tracks) - MOST_TRACKS} more languages")
    return [Line(clean(text), is_long=True) for text in found]


def _track(language: str | None, source: str | None, files: Sequence[ArtifactView]) -> str:
    """A transcript in all its formats: language, who made it, sizes."""
    words = ["transcript", language_name(language) if language else ""]
    words += [MADE.get(source, source) if source else ""]
    words += [", ".join(f"{each.format} {size_words(each.size_bytes)}" for each in files)]
    return " · ".join(word for word in words if word)


def _where(view: JobView, can_link: bool, carries_file: bool, because: str) -> list[Line]:
    """How to get what the message does not carry, and until when."""
    main = main_artifact(view)
    if main is None:
        return [] if carries_file else [Line(GONE)]
    lines = [] if carries_file else [Line(because)]
    until = utc_words(main.expires_at) if main.expires_at else ""
    if can_link:
        return [*lines, Line(f"Links work until {until}" if until else "")]
    if not carries_file:
        lines += [Line(NO_PUBLIC_URL), Line(main.download_url or "", "code")]
        lines += [Line(f"It works until {until}" if until else "")]
    others = [each for each in written(view) if each is not main]
    return [*lines, Line(ONE_FILE if others else "")]


def _with_quote(lines: list[Line], transcript: str, limit: int) -> list[Line]:
    """The transcript as an expandable quote under the rest, when nothing has to be cut for it."""
    text = "\n".join(filter(None, map(clean, transcript.splitlines())))
    quoted = [line for line in (*lines, Line(text, "blockquote expandable")) if line.text]
    return quoted if fits(quoted, limit) else lines


def _buttons(view: JobView, request_id: UUID, can_link: bool) -> Rows:
    name = request_id.hex
    if view.state.is_active:
        return ((Button("Cancel", f"cancel:{name}"),),)
    if view.state is JobState.FAILED and view.error is not None and view.error.is_passing:
        return ((Button("Retry", f"retry:{name}"),),)
    if view.state is not JobState.DONE:
        return ()
    if view.offers is not None:
        offered = choices(view.offers)
        return _rows([Button(choice.label, f"choose:{name}:{choice.word}") for choice in offered], 2)
    return _links(view) if can_link else ()


def _links(view: JobView) -> Rows:
    main = main_artifact(view)
    if main is None:
        return ()
    first = []
    if main.kind in PLAYED:
        label = "Watch" if main.kind is ArtifactKind.VIDEO else "Listen"
        first = [Button(label, url=view.watch_url or main.url), Button("Download", url=main.download_url)]
    elif view.watch_url:
        first = [Button("Read", url=view.watch_url)]
    tracks = written(view)
    several = {each.language for each in tracks}, {each.format for each in tracks}
    labelled = [Button(_label(each, *several), url=each.download_url) for each in tracks[:MOST_TRACKS]]
    return (*_rows(first, 2), *_rows(labelled, 3 if len(labelled) % 3 == 0 else 2))


def _label(track: ArtifactView, languages: set[str | None], formats: set[str]) -> str:
    """What tells this transcript from the others."""
    words = ["Transcript"]
    words += [track.language or ""] if len(languages) > 1 else []
    words += [track.format.upper()] if len(formats) > 1 else []
    return clean(" ".join(filter(None, words)))


def _rows(buttons: Iterable[Button], width: int) -> Rows:
    each = iter(buttons)
    return tuple(iter(lambda: tuple(islice(each, width)), ()))
