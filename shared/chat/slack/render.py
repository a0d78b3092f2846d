"""What a status message in Slack reads, and its buttons. Pure: a view goes in, Block Kit comes out.

A button's `action_id` is a word and the request's id: `cancel:<hex>`, `retry:<hex>`, `choose:<hex>:<word>`,
`share:<hex>`; `open:<hex>:<number>` only opens its address and needs no more than an acknowledgement.
"""

from uuid import UUID

from shared.chat.choices import choices
from shared.chat.files import PLAYED, WRITTEN, is_linkable, length_of, main_artifact, written
from shared.chat.slack.blocks import (
    MAX_CONTEXT,
    MAX_FALLBACK,
    MAX_HEADER,
    Block,
    Message,
    actions,
    button,
    context,
    header,
    image,
    markup,
    plain,
    section,
)
from shared.chat.slack.text import MAX_URL, cut, fitting, foreign, length, link, moment, one_line
from shared.chat.words import ASK, GONE, describe, facts, share, soon_words, stage_words
from shared.errors import FAILURES, Code
from shared.ids import short_id
from shared.models import ArtifactKind, JobState
from shared.results import JobView
from shared.words import time_words

BAR = 16  # characters
MAX_FILES = 2400  # characters of the list of files: a whole message has to stay below 13 200
MAX_WORDS = 1500  # characters of a sentence


def status(view: JobView, request_id: UUID) -> Message:
    """The status message of a request."""
    title, said = one_line(view.title or ""), _said(view) or view.state.capitalize()
    if view.state is JobState.DONE and view.offers is None:
        body = _delivered(view)
    else:
        body = [section(plain(said, MAX_WORDS))]
    heading = [header(title)] if title else []
    fallback = ": ".join(filter(None, (cut(title, MAX_HEADER), foreign(said, MAX_FALLBACK - MAX_HEADER - 2))))
    return Message(
        fallback, (*heading, *body, _small(view, request_id), *actions(_buttons(view, request_id)))
    )


def is_public(url: str) -> bool:
    """Whether Slack's own servers can load a picture from there: https, and a host that others can reach."""
    return url.lower().startswith("https://") and length(url) <= MAX_URL and is_linkable(url)


def _said(view: JobView) -> str:
    """The message in plain words: what goes on, what went wrong, what to choose, or what came."""
    if view.state is JobState.DONE:
        if view.offers is not None:
            return "\n".join(filter(None, (ASK, one_line(view.note or ""))))
        main = main_artifact(view)
        return describe(main) if main else GONE
    if view.state is JobState.FAILED and view.error is not None:
        return one_line(view.error.message)
    if view.state is JobState.CANCELLED:
        told = FAILURES[Code.CANCELLED]
        return f"{told.sentence} {told.next_step}"
    return "\n".join([one_line(stage_words(view)), *_progress(view.progress or {})])


def _progress(progress: dict[str, float]) -> list[str]:
    done, found = share(progress), []
    if done is not None:
        full = round(done * BAR)
        found.append(f"{'█' * full}{'░' * (BAR - full)} {done:.0%}")
    if numbers := facts(progress):
        found.append(" · ".join(numbers))
    return found


def _delivered(view: JobView) -> list[Block]:
    """What was really delivered, each file a link, with the picture beside it; and what has to be said."""
    files = [each for each in view.artifacts if each.kind in (*PLAYED, *WRITTEN)]
    lines = [f"• {link(each.download_url or '', describe(each))}" for each in files]
    listed = fitting(lines, MAX_FILES) if main_artifact(view) else GONE
    note = one_line(view.note or "")
    return [
        section(markup(listed), _picture(view)),
        *([section(plain(note, MAX_WORDS))] if note else []),
    ]


def _picture(view: JobView) -> Block | None:
    found = (each.url for each in view.artifacts if each.kind is ArtifactKind.THUMBNAIL)
    url = next((url for url in found if url and is_public(url)), None)
    return image(url, view.title or "") if url else None


def _small(view: JobView, request_id: UUID) -> Block:
    """The line below: the id to type, the place in the queue, or how long the links live."""
    words = [f"#{short_id(request_id)}"]
    if view.state is JobState.QUEUED and view.retry_in is not None:
        words.append(f"next try in {soon_words(view.retry_in)}")
    elif view.state is JobState.QUEUED and view.position:
        words.append(f"number {view.position} in line")
        if view.starts_in:
            words.append(f"starts in about {soon_words(view.starts_in)}")
    elif view.state is JobState.DONE:
        if seconds := length_of(view):
            words.append(time_words(seconds))
        if (main := main_artifact(view)) and main.expires_at and view.offers is None:
            words.append(f"links work until {moment(main.expires_at)}")
            return context(markup(" · ".join(words)))
    return context(plain(" · ".join(words), MAX_CONTEXT))


def _buttons(view: JobView, request_id: UUID) -> list[Block | None]:
    name = request_id.hex
    if view.state.is_active:
        return [button("Cancel", f"cancel:{name}", style="danger")]
    if view.state is JobState.FAILED and view.error is not None and view.error.is_passing:
        return [button("Retry", f"retry:{name}")]
    if view.state is not JobState.DONE:
        return []
    if view.offers is not None:
        return [button(each.label, f"choose:{name}:{each.word}") for each in choices(view.offers)]
    return _results(view, name)


def _results(view: JobView, name: str) -> list[Block | None]:
    main = main_artifact(view)
    if main is None:
        return []
    found = []
    if main.kind in PLAYED:
        label = "Watch" if main.kind is ArtifactKind.VIDEO else "Listen"
        found.append(button(label, f"open:{name}:0", style="primary", url=view.watch_url or main.url))
    elif view.watch_url:
        found.append(button("Read", f"open:{name}:0", url=view.watch_url))
    found.append(button("Download", f"open:{name}:1", url=main.download_url))
    if written(view):
        found.append(button("Share transcript", f"share:{name}"))
    return found
