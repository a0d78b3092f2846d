"""What counts as a link, and which links are the same one.

`parse_link` turns what a person sent into a `Link` with one canonical spelling; `link_key` and `media_key`
say which wishes are the same job. Pure functions: whether an address may be fetched is for the egress guard.
"""

import hashlib
import ipaddress
import json
import re
import unicodedata
from dataclasses import dataclass
from typing import NoReturn
from urllib.parse import SplitResult, quote, urlsplit

import idna

from shared.errors import FAILURES, Code, Failure, JobError
from shared.options import Options, Quality

MAX_LENGTH = 2048

DEFAULT_PORTS = {"http": 80, "https": 443}
UNREADABLE = FAILURES[Code.INVALID_LINK]
CREDENTIALS = Failure(
    "That link carries a user name or a password, and those would end up in logs.", "Send it without them."
)
IMPURE = Failure(
    "That link holds a space or an invisible character, which no link can have.",
    "Copy it anew from the browser's address bar.",
)
TOO_LONG = Failure(
    f"That link is longer than {MAX_LENGTH} characters.",
    "Send the short one that the site's share button gives.",
)

# Short and alternative names of one site: they share its limits, so they share its cool-down.
SITE_ALIASES = {
    "youtu.be": "youtube.com",
    "youtube-nocookie.com": "youtube.com",
    "twitter.com": "x.com",
    "fb.watch": "facebook.com",
    "redd.it": "reddit.com",
    "dai.ly": "dailymotion.com",
    "b23.tv": "bilibili.com",
}
SECOND_LEVEL = frozenset({"ac", "co", "com", "edu", "go", "gob", "gov", "ne", "net", "or", "org"})

TRACKING = re.compile(
    r"utm_.*|_ga|_gl|dclid|fbclid|gbraid|gclid|igsh|igshid|mc_cid|mc_eid|mibextid|mkt_tok|msclkid|ref_src|"
    r"ref_url|ttclid|twclid|vero_id|wbraid|yclid"
)
# Names too short to be tracking everywhere: elsewhere `?s=3` or `?feature=12` may be what is asked for.
SITE_TRACKING = {
    "youtube.com": frozenset({"si", "feature", "pp", "ab_channel"}),
    "spotify.com": frozenset({"si"}),
    "soundcloud.com": frozenset({"si"}),
    "x.com": frozenset({"s", "t"}),
    "tiktok.com": frozenset({"is_from_webapp", "sender_device", "_r", "_t"}),
}

HOST_LABEL = re.compile(r"[a-z0-9_-]{1,63}")
YOUTUBE_HOST = re.compile(r"(?:[\w-]+\.)?(?:youtube|youtube-nocookie)\.com")
YOUTUBE_ID = re.compile(r"(?!videoseries|live_stream)[0-9A-Za-z_-]{11}")
YOUTUBE_PATHS = frozenset({"shorts", "embed", "live", "v", "e"})

# Everything a URL may hold unescaped, and `%` because what is escaped already stays as it is.
SAFE_IN_PATH = "!$&'()*+,;=:@/~[]%"
SAFE_IN_QUERY = SAFE_IN_PATH + "?"
JOINERS = "\u200c\u200d"  # part of Persian words and of emoji; every other format character only deceives


@dataclass(frozen=True, slots=True)
class Link:
    """A link that `parse_link` has accepted, spelled canonically; `site` is what a cool-down holds for."""

    url: str
    site: str


def parse_link(text: str) -> Link:
    """The link in `text`, in its canonical spelling.

    Dropped: the fragment, tracking parameters, a default port. Raises `JobError(Code.INVALID_LINK)`; the
    detail never repeats the link.
    """
    if len(text) > MAX_LENGTH:
        _refuse("too long", TOO_LONG)
    text = text.strip()
    if any(_is_forbidden(character) for character in text):
        _refuse("whitespace, control or invisible characters", IMPURE if "://" in text else UNREADABLE)
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise JobError(Code.INVALID_LINK, "malformed address") from error
    if parts.scheme not in DEFAULT_PORTS:
        _refuse("not http or https")
    if "@" in parts.netloc:
        _refuse("credentials", CREDENTIALS)
    if not host or port == 0:
        _refuse("no host, or port 0")
    return _canonical(parts, _canonical_host(host, is_ipv6="[" in parts.netloc), port)


def link_key(link: Link, options: Options) -> str:
    """What makes two wishes the same job before anything is known about the link: 64 hex digits."""
    return _digest("link", link.url, _identity(options))


def media_key(extractor: str, media_id: str, options: Options) -> str:
    """What makes two wishes the same result once the site has named the media: 64 hex digits."""
    return _digest("media", extractor, media_id, _identity(options))


def site_of(host: str) -> str:
    """The part of a host that one operator answers for: `m.youtube.com` is `youtube.com`.

    A rule of thumb instead of the public suffix list: wrong only in how far a cool-down reaches.
    """
    if host.startswith("[") or host.replace(".", "").isdigit():
        return host
    labels = host.split(".")
    country_code = len(labels[-1]) == 2 and len(labels) > 2 and labels[-2] in SECOND_LEVEL
    site = ".".join(labels[-3 if country_code else -2 :])
    return SITE_ALIASES.get(site, site)


def _canonical(parts: SplitResult, host: str, port: int | None) -> Link:
    site = site_of(host)
    if port in (None, DEFAULT_PORTS[parts.scheme]):
        video = _youtube_video(host, parts)
        if video:
            return Link(f"https://www.youtube.com/watch?v={video}", site)
        address = host
    else:
        address = f"{host}:{port}"
    path = quote(parts.path or "/", safe=SAFE_IN_PATH)
    query = quote(_without_tracking(parts.query, site), safe=SAFE_IN_QUERY)
    # The fragment goes for good: yt-dlp takes instructions from `#__youtubedl_smuggle`.
    url = f"{parts.scheme}://{address}{path}" + (f"?{query}" if query else "")
    if len(url) > MAX_LENGTH:
        _refuse("too long when escaped", TOO_LONG)
    return Link(url, site)


def _canonical_host(host: str, *, is_ipv6: bool) -> str:
    if is_ipv6:
        try:
            address = ipaddress.IPv6Address(host)
        except ValueError as error:
            raise JobError(Code.INVALID_LINK, "malformed IPv6 address") from error
        if address.scope_id:
            _refuse("an address of one machine's own network card")
        return f"[{address.compressed}]"
    host = host.removesuffix(".")
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except (idna.IDNAError, UnicodeError) as error:
            raise JobError(Code.INVALID_LINK, "host is not a valid international name") from error
    host = host.lower()
    if len(host) > 253 or not all(HOST_LABEL.fullmatch(label) for label in host.split(".")):
        _refuse("malformed host")
    return host


def _youtube_video(host: str, parts: SplitResult) -> str | None:
    """The video behind any of YouTube's spellings; a list on a watch link does not change the video."""
    first, _, rest = parts.path.strip("/").partition("/")
    video = ""
    if host in ("youtu.be", "www.youtu.be"):
        video = first
    elif YOUTUBE_HOST.fullmatch(host):
        if first == "watch" and not rest:
            video = next((p[2:] for p in parts.query.split("&") if p.startswith("v=")), "")
        elif first in YOUTUBE_PATHS:
            video = rest.partition("/")[0]
    return video if YOUTUBE_ID.fullmatch(video) else None


def _without_tracking(query: str, site: str) -> str:
    """The query as it was written, in its order, without the parameters that only follow people around."""
    of_this_site = SITE_TRACKING.get(site, frozenset())

    def is_tracking(parameter: str) -> bool:
        name = parameter.partition("=")[0].lower()
        return name in of_this_site or TRACKING.fullmatch(name) is not None

    return "&".join(p for p in query.split("&") if p and not is_tracking(p))


def _is_forbidden(character: str) -> bool:
    if character in JOINERS:
        return False
    return character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp", "Zs")


def _identity(options: Options) -> dict[str, object]:
    """The options as they decide the result: what has no effect must not make two jobs out of one."""
    identity: dict[str, object] = options.model_dump(mode="json")
    identity["caption_formats"] = sorted(options.caption_formats)
    if not options.media or (options.format.is_audio and options.quality is not Quality.WORST):
        del identity["quality"]  # of a picture; the worst sound is the smallest
    if not options.media:
        del identity["format"]
    if not options.languages:
        del identity["caption_formats"], identity["translate_to"]
        del identity["speech"], identity["timestamps"]
    return identity


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _refuse(detail: str, told: Failure = UNREADABLE) -> NoReturn:
    raise JobError(Code.INVALID_LINK, detail, sentence=told.sentence, next_step=told.next_step)
