"""What a person said: text in, commands out. One grammar for every platform.

<link> [<link> ...]
/get <link> [quality] [format] [clip 1:20-2:05] [subs en,de] [to spanish]
/subs <link> [languages] [srt|vtt|txt|md|json] [times] [to spanish]
/status [job]     /cancel [job]     /find <words>     /help
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bots.option_words import read_get_options, read_subs_options, shown
from bots.scanner import Scan, scan
from shared.errors import CommandError
from shared.link import Link, parse_link
from shared.options import Options

MAX_TEXT_BYTES = 16 * 1024
MAX_LINKS = 20
MAX_FIND_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Get:
    """Fetch the media. Not `explicit`: a plain link, so offer choices or take the chat's default."""

    link: Link
    options: Options
    explicit: bool


@dataclass(frozen=True, slots=True)
class Subs:
    """Fetch the transcript only."""

    link: Link
    options: Options


@dataclass(frozen=True, slots=True)
class Status:
    """How is this job doing, or all of mine?"""

    job: str | None


@dataclass(frozen=True, slots=True)
class Find:
    """Search in what was fetched."""

    words: str


@dataclass(frozen=True, slots=True)
class Cancel:
    """Stop this job, or the one that runs."""

    job: str | None


@dataclass(frozen=True, slots=True)
class Help:
    """What can you do?"""


Command = Get | Subs | Status | Find | Cancel | Help

# What to type after the command, and what it does: for the help text and a platform's command menu.
USAGE = {
    "get": ("<link> [720p] [mp3] [clip 1:20-2:05] [subs en,de]", "Fetch the video or the audio"),
    "subs": ("<link> [en,de] [srt] [to spanish]", "Fetch the transcript"),
    "status": ("[job]", "Show how your downloads are doing"),
    "cancel": ("[job]", "Stop a download"),
    "find": ("<words>", "Search in what was fetched"),
    "help": ("", "Show what I can do"),
}
HINT = "Send a link that starts with https://, or /help to see what I can do."

COMMAND = re.compile(r"\s*/(?P<name>[a-z_0-9]{1,32})(?:@(?P<bot>\w{1,64}))?(?!\S)", re.IGNORECASE)
# "@Linkferry /get …" in groups, "<@U024BE7LH> /get …" in Slack
_MENTION = re.compile(r"\s*(?:@\w{1,64}|<@\w{1,32}(?:\|[^<>]{0,80})?>)[\s:,]+")
_JOB = re.compile(r"#?(?P<job>[0-9a-z-]{1,64})", re.IGNORECASE)


def parse(text: str) -> tuple[Command, ...]:
    """The commands in a message; several links make several.

    Raises `CommandError` when the message is not understood, and `JobError(Code.INVALID_LINK)` when one of
    its links is none: then nothing of the message counts, so that nobody waits for half of it.
    """
    if len(text) > MAX_TEXT_BYTES or len(text.encode(errors="surrogatepass")) > MAX_TEXT_BYTES:
        raise CommandError(f"That message is too long; I read up to {MAX_TEXT_BYTES // 1024} KB.")
    if mention := _MENTION.match(text):
        text = text[mention.end() :]
    match = COMMAND.match(text)
    if match is None:
        return _plain(scan(text))
    name, rest = match["name"].lower(), text[match.end() :]
    if name in _WITH_LINK:
        return _WITH_LINK[name](scan(rest))
    if name in _WITHOUT_LINK:
        return (_WITHOUT_LINK[name](rest),)
    known = ", ".join(f"/{command}" for command in USAGE)
    raise CommandError(f"I do not know the command {shown('/' + name)}; I know {known}.")


def _plain(scan: Scan) -> tuple[Command, ...]:
    if not scan.links:
        raise CommandError(f"I see no link in that. {HINT}")
    return tuple(Get(link, Options(), explicit=False) for link in _links(scan))


def _get(scan: Scan) -> tuple[Command, ...]:
    _need_link(scan, "get")
    options = read_get_options(scan.words)
    return tuple(Get(link, options, explicit=True) for link in _links(scan))


def _subs(scan: Scan) -> tuple[Command, ...]:
    _need_link(scan, "subs")
    options = read_subs_options(scan.words)
    return tuple(Subs(link, options) for link in _links(scan))


def _need_link(scan: Scan, name: str) -> None:
    if not scan.links:
        raise CommandError(f"/{name} needs a link that starts with https://: /{name} {USAGE[name][0]}.")


def _links(scan: Scan) -> tuple[Link, ...]:
    """The links, each once, however they were spelled."""
    if len(scan.links) > MAX_LINKS:
        raise CommandError(f"I take up to {MAX_LINKS} links in one message; this one has {len(scan.links)}.")
    return tuple(dict.fromkeys(map(parse_link, scan.links)))


def _job(name: str, rest: str) -> str | None:
    words = rest.split()
    if not words:
        return None
    match = _JOB.fullmatch(words[0])
    if len(words) > 1 or match is None:
        raise CommandError(f"/{name} takes one job id or nothing; I cannot read {shown(rest.strip())}.")
    return match["job"].lower()


def _find(rest: str) -> Find:
    visible = "".join(character if character.isprintable() else " " for character in rest)
    words = " ".join(visible.split())
    if not words:
        raise CommandError("/find needs words to look for: /find <words>.")
    if len(words) > MAX_FIND_CHARACTERS:
        raise CommandError(f"/find takes up to {MAX_FIND_CHARACTERS} characters; that is {len(words)}.")
    return Find(words)


_WITH_LINK: dict[str, Callable[[Scan], tuple[Command, ...]]] = {"get": _get, "subs": _subs}
_WITHOUT_LINK: dict[str, Callable[[str], Command]] = {
    "status": lambda rest: Status(_job("status", rest)),
    "cancel": lambda rest: Cancel(_job("cancel", rest)),
    "find": _find,
    "help": lambda rest: Help(),
    "start": lambda rest: Help(),  # what Telegram sends when a person opens the bot for the first time
}
