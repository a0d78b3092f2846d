"""What people are told besides status messages: HTML. Pure; every foreign word is escaped."""

import re
from collections.abc import Sequence
from html import escape, unescape
from itertools import accumulate

from bots.commands import HINT, USAGE
from bots.desk import Asked
from bots.finder import Hits, Spot
from bots.telegram.access import Known, Standing
from bots.telegram.reading import Person, Speaker
from shared.chat.files import is_linkable
from shared.chat.telegram.markup import MAX_TEXT, clean, cut, units
from shared.chat.words import brief, describe
from shared.errors import FAILURES, Code
from shared.models import JobState, Role
from shared.results import JobView
from shared.search.moments import Piece
from shared.words import time_words

MOST_TITLE = 120  # UTF-16 units

_TAG = re.compile(r"<[^>]*>")

MENU = {
    "settings": ("", "Choose what this chat gets without asking"),
}
OWNERS_MENU = {
    "allow": ("<id>, here, or as a reply", "Let a person or a group use me"),
    "deny": ("<id>, here, or as a reply", "Take that back"),
    "users": ("", "Show who may use me"),
}

WELCOME = (
    "Hello! Send me a link, and I bring back the video, the audio or the transcript.\n\n"
    "I ask what you would like first; /settings can answer that once and for all. /help shows what else I do."
)
NOW_OWNER = "This bot is yours now: send me a link! /allow lets others use it, and /users shows who may."
NEEDS_OWNER = "Only the owner of this bot can do that."
NEEDS_PRIVATE = "I tell that only in our private chat."
NEEDS_ADMIN = "Only an administrator of this group can change its settings."
BUSY = "I cannot reach my database; I go on with that by myself as soon as it is back."
LEFT_OUT = f"{FAILURES[Code.INTERNAL].sentence} {FAILURES[Code.INTERNAL].next_step}"
WHOM = (
    "Say whom: the Telegram ID of a person or a group, 'here' in a group, "
    "or as a reply to what somebody wrote."
)
OWNER_STAYS = "The owner of this bot can always use it."


def plain(sentence: str) -> str:
    """A sentence of ours, or one that repeats what somebody wrote."""
    return escape(sentence, quote=False)


def refusal(standing: Standing, speaker: Speaker) -> str:
    """No, and how it could become a yes."""
    if standing is Standing.UNOWNED:
        return "Nobody owns this bot yet. If you run it, send me /start and the code from Linkferry's log."
    mine, here = f"<code>{escape(speaker.user_id)}</code>", f"<code>{escape(speaker.chat_id)}</code>"
    if speaker.is_private:
        return f"Sorry, this bot serves only people its owner has allowed; your Telegram ID is {mine}."
    if speaker.is_channel:
        return (
            "Sorry, I cannot see who writes in the name of a channel: write as yourself, or ask the owner of "
            f"this bot to allow the channel; its Telegram ID is {mine}."
        )
    yours = "" if speaker.speaks_for_chat else f"your Telegram ID is {mine}, "
    return (
        "Sorry, this bot serves only people and groups its owner has allowed; "
        f"{yours}the Telegram ID of this group is {here}."
    )


def usage(standing: Standing) -> str:
    """Every command."""
    known = USAGE | MENU | (OWNERS_MENU if standing is Standing.OWNER else {})
    lines = [
        f"/{name} {escape(words)}".rstrip() + f"\n    {escape(does)}" for name, (words, does) in known.items()
    ]
    return "\n".join([plain(HINT.partition(",")[0] + "."), "", *lines])


def listed(asked: Sequence[Asked]) -> str:
    """A person's requests, one a line."""
    return fitted(
        [f"<code>{each.short_id}</code> {_title(each.view)} · {_state(each.view)}" for each in asked]
    )


def told(asked: Asked) -> str:
    """One request in full."""
    view = asked.view
    lines = [f"<code>{asked.short_id}</code> <b>{_title(view)}</b>", _state(view)]
    if view.state is JobState.DONE:
        lines += [plain(clean(describe(artifact))) for artifact in view.artifacts]
    elif view.error is not None:
        lines.append(plain(clean(view.error.message)))
    return fitted(lines)


def found(hits: Hits) -> str:
    """Videos, each with the moments that have what was looked for; both lead to the watch page."""
    lines: list[str] = []
    for hit in hits.hits:
        lines.append(_linked(hit.view))
        lines += [_spot(spot) for spot in hit.spots]
        lines += [f"  … {hit.more} more in it"] if hit.more else []
    return fitted(lines + ([plain(hits.sentence)] if hits.sentence else []))


def given(whom: Person, role: Role) -> str:
    """What has become of a person or a group."""
    number = f"<code>{escape(whom.user_id)}</code>"
    name = f"{plain(clean(whom.name))} ({number})" if whom.name else number
    may = "may use me from now on." if role is Role.ALLOWED else "may not use me any more."
    return f"{name} {may}"


def without_tags(text_html: str) -> str:
    """The same for places that take plain text."""
    return unescape(_TAG.sub("", text_html))


def members(known: Sequence[Known]) -> str:
    """Who may do what."""
    lines = [
        f"{each.role.value} · <code>{escape(each.subject)}</code> {plain(clean(each.name))}".rstrip()
        for each in known
    ]
    return fitted(lines) or "Nobody yet."


def fitted(lines: Sequence[str]) -> str:
    """The lines that Telegram takes in one message, and how many were left out."""
    sizes = [units(without_tags(line)) + 1 for line in lines]
    if sum(sizes) <= MAX_TEXT:
        return "\n".join(lines)
    ends = accumulate(sizes)
    kept = sum(end + units(_more(len(lines))) <= MAX_TEXT for end in ends)
    return "\n".join([*lines[:kept], _more(len(lines) - kept)])


def _more(count: int) -> str:
    return f"and {count} more"


def _title(view: JobView) -> str:
    return plain(cut(clean(view.name), MOST_TITLE))


def _spot(spot: Spot) -> str:
    """A moment, and what is said there."""
    time = time_words(int(spot.moment.seconds))
    if spot.url and is_linkable(spot.url):
        time = f'<a href="{escape(spot.url)}">{time}</a>'
    return f"  {time} {''.join(map(_piece, spot.moment.snippet))}"


def _piece(piece: Piece) -> str:
    """Part of what is said; `clean` takes the spaces at its ends, and sees no name behind an `@` there."""
    text = piece.text
    before, after = " " * text[:1].isspace(), " " * text[-1:].isspace()
    shown = plain(f"{before}{clean(text)}{after}" if text.strip() else " ")
    shown = shown + "\u2060" if shown.endswith("@") else shown
    return f"<b>{shown}</b>" if piece.is_hit else shown


def _linked(view: JobView) -> str:
    url = view.watch_url or next((artifact.url for artifact in view.artifacts if artifact.url), None)
    if url is None:
        return f"{_title(view)} · no longer kept; send the link again"
    if not is_linkable(url):  # Telegram drops such a link without a word
        return f"{_title(view)}\n<code>{escape(url)}</code>"
    return f'<a href="{escape(url)}">{_title(view)}</a>'


def _state(view: JobView) -> str:
    return plain(clean(brief(view)))
