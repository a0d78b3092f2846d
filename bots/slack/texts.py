"""What people are told besides status messages. Pure; every foreign word is escaped."""

import re
from collections.abc import Sequence
from uuid import UUID

from bots.commands import HINT, USAGE
from bots.desk import NOTHING_YET, Asked, Refused
from bots.finder import Hit, Hits
from shared.chat.files import main_artifact, written
from shared.chat.slack.blocks import (
    MAX_FALLBACK,
    MAX_SECTION,
    Block,
    Message,
    actions,
    button,
    markup,
    message,
    plain,
    section,
)
from shared.chat.slack.render import status
from shared.chat.slack.text import cut, escape, fitting, foreign, link, one_line
from shared.chat.words import brief, describe
from shared.errors import CommandError, JobError
from shared.models import JobState
from shared.results import JobView
from shared.search.moments import Piece
from shared.settings import UMBRELLA
from shared.words import time_words

MAX_TITLE = 120  # characters
MOST_FILES = 10  # lines of one request's files
NAME = "Linkferry"

BUSY = "I cannot reach my database; try again in a moment."
UNKNOWN_COMMAND = "I am called something else by now; /help shows all commands."
INVITE = f"I am not in this channel, so only you see this. To show everybody: /invite @{NAME}"
ELSEWHERE = f"I am not in the channel where you asked; there: /invite @{NAME}"
GUEST = f"Only the person who asked can do that, or an admin of the workspace that {NAME} is installed in."
NEEDS_CHANNEL = "Choose a channel, or keep it to yourself."
NO_TRANSCRIPT = "That transcript is no longer kept; send the link again."
NOT_SHARED = "The transcript could not be posted there; try again in a moment."
TOO_LATE = "That took too long; press again."

NARROW = "\u200b"  # a space without width
_LOOK_ALIKES = str.maketrans({"*": "∗", "_": "ˍ", "~": "∼", "`": "ˋ"})  # which mean nothing to Slack

_COMMAND = re.compile(rf"(?<![\w/.])/({'|'.join(USAGE)})\b")


def sentence(text: str) -> Message:
    """One sentence of ours, with the names that commands have in Slack."""
    return message(named(text))


def refusal(error: Refused | CommandError | JobError) -> Message:
    """No, and why."""
    return sentence(why(error))


def why(error: Refused | CommandError | JobError) -> str:
    """The words of a refusal."""
    return named(error.message if isinstance(error, JobError) else str(error))


def named(text: str) -> str:
    """`/status` as it is called here: Slack has a command of that name itself."""
    return _COMMAND.sub(rf"{UMBRELLA} \1", text)


def not_in(channel: str) -> Message:
    """The app cannot post into this channel, `C123`, and how it could."""
    shown = markup(f"I am not in <#{escape(channel)}>; write /invite @{NAME} there, then share it again.")
    return Message(f"I am not in that channel; write /invite @{NAME} there.", (section(shown),))


def usage(commands: Sequence[str]) -> Message:
    """Every command; `commands` are the three that have names of their own."""
    lines = [
        f"`{UMBRELLA} {name} {escape(words)}`".replace(" `", "`") + f"  {escape(does)}"
        for name, (words, does) in USAGE.items()
    ]
    beginning = HINT.partition(",")[0] + f", or mention @{NAME} with it, also in threads."
    short = f"Shorter: {', '.join(commands)}. A message's menu has: Fetch this link."
    told = "\n".join([escape(beginning), "", *lines, "", escape(short)])
    return Message(cut(named(HINT), MAX_FALLBACK), (section(markup(told)),))


def listed(asked: Sequence[Asked]) -> Message:
    """A person's requests, one a line."""
    if not asked:
        return sentence(NOTHING_YET)
    lines = [f"`{each.short_id}` {title_of(each.view)} · {state_of(each.view)}" for each in asked]
    return _lines(lines)


def told(asked: Asked) -> Message:
    """One request in full."""
    view = asked.view
    lines = [f"`{asked.short_id}` *{title_of(view).replace('*', '∗')}*", state_of(view)]
    if view.state is JobState.DONE:
        lines += [link(each.url or "", describe(each)) for each in view.artifacts[:MOST_FILES]]
    elif view.error is not None:
        lines.append(foreign(view.error.message, MAX_SECTION // 2))
    return _lines(lines)


def found(hits: Hits) -> Message:
    """Videos, each with the moments that have what was looked for; both lead to the watch page."""
    shown = [_lines(_found(hit)) for hit in hits.hits] + ([sentence(hits.sentence)] if hits.sentence else [])
    text = fitting([line for each in shown for line in each.text.split("\n")], MAX_FALLBACK)
    return Message(text, tuple(block for each in shown for block in each.blocks))


def _found(hit: Hit) -> list[str]:
    lines = [_linked(hit.view)]
    for spot in hit.spots:
        time = time_words(int(spot.moment.seconds))
        lines.append(f"{link(spot.url or '', time)} {emphasized(spot.moment.snippet)}")
    return lines + ([f"… {hit.more} more in it"] if hit.more else [])


def emphasized(snippet: Sequence[Piece]) -> str:
    """What is said, with what was looked for in bold, which Slack knows only between spaces: narrow ones."""
    return "".join(
        f"{NARROW}*{spoken}*{NARROW}" if piece.is_hit else spoken
        for piece in snippet
        if (spoken := escape(_visible(piece.text).translate(_LOOK_ALIKES)))
    )


def _visible(text: str) -> str:
    """The same on one line, with the spaces at its ends."""
    before, after = " " * text[:1].isspace(), " " * text[-1:].isspace()
    return f"{before}{one_line(text)}{after}" if text.strip() else " "


def transcript(view: JobView) -> Message:
    """The transcript's links, for whoever keeps them to themselves."""
    files = written(view)
    if not files:
        return sentence(NO_TRANSCRIPT)
    lines = [f"*{title_of(view).replace('*', '∗')}*"]
    lines += [link(each.download_url or "", describe(each)) for each in files[:MOST_FILES]]
    return _lines(
        lines, [button("Read", "open:transcript:0", url=view.watch_url) if view.watch_url else None]
    )


def outside(view: JobView, request_id: UUID, why: str) -> Message:
    """A status message for one person, with why everybody else does not see it."""
    shown = status(view, request_id)
    return Message(f"{shown.text} · {escape(why)}", (*shown.blocks, section(plain(why))))


def title_of(view: JobView) -> str:
    """The title, escaped."""
    return foreign(view.name, MAX_TITLE)


def state_of(view: JobView) -> str:
    """How it is doing, in a few words; escaped."""
    return foreign(brief(view), MAX_SECTION // 4)


def _linked(view: JobView) -> str:
    main = main_artifact(view)
    if main is None or not main.url:
        return f"{title_of(view)} · no longer kept; send the link again"
    return link(view.watch_url or main.url, one_line(view.name)[:MAX_TITLE])


def _lines(lines: Sequence[str], buttons: Sequence[Block | None] = ()) -> Message:
    shown = fitting(lines, MAX_SECTION)
    words = re.sub(r"<[^<>|]*\|([^<>]*)>", r"\1", "\n".join(lines)).replace("`", "").replace("*", "")
    text = fitting(words.split("\n"), MAX_FALLBACK)
    return Message(text, (section(markup(shown)), *actions(buttons)))
