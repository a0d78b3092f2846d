"""The one tree of errors, and what each failure means to a person.

    LinkferryError
    ├── JobError        a job cannot go on; carries a `Code`, which decides words and retries
    ├── CommandError    a message could not be understood; the text is for the person
    └── ConfigError     the installation is not right; the text says what to change

A person reads `FAILURES[code].sentence` and `.next_step`; the log gets `JobError.detail`, the cause.
"""

from dataclasses import dataclass
from enum import StrEnum


class LinkferryError(Exception):
    """Anything Linkferry raises on purpose."""


class CommandError(LinkferryError):
    """A message could not be understood; `str(error)` is one sentence for the person."""


class ConfigError(LinkferryError):
    """The installation is not right; `str(error)` says what to change."""


class Code(StrEnum):
    """Why a job could not go on."""

    INVALID_LINK = "invalid_link"
    BLOCKED_ADDRESS = "blocked_address"
    UNSUPPORTED = "unsupported"
    NOT_FOUND = "not_found"
    PRIVATE = "private"
    LOGIN_REQUIRED = "login_required"
    AGE_RESTRICTED = "age_restricted"
    GEO_BLOCKED = "geo_blocked"
    DRM = "drm"
    LIVE = "live"
    PLAYLIST = "playlist"
    TOO_LARGE = "too_large"
    NO_CAPTIONS = "no_captions"
    NO_FORMAT = "no_format"
    CLIP_OUTSIDE = "clip_outside"
    NETWORK = "network"
    SITE_ERROR = "site_error"
    THROTTLED = "throttled"
    BOT_CHECK = "bot_check"
    STALLED = "stalled"
    TIMED_OUT = "timed_out"
    BROKEN_FILE = "broken_file"
    DAMAGED = "damaged"
    DISK_FULL = "disk_full"
    QUOTA = "quota"
    CRASHED = "crashed"
    INTERNAL = "internal"
    CANCELLED = "cancelled"


class Retry(StrEnum):
    """What the retry policy does with a failure."""

    NEVER = "never"
    BACKOFF = "backoff"
    COOL_DOWN = "cool_down"  # backoff, and the site rests for everybody


@dataclass(frozen=True)
class Failure:
    """What a code means: one sentence, what the person can do next, and whether trying again helps.

    The words hold while the job is tried again, and after the last try: whether it is, its state says.
    """

    sentence: str
    next_step: str
    retry: Retry = Retry.NEVER


FAILURES: dict[Code, Failure] = {
    Code.INVALID_LINK: Failure(
        "That is not a link I can open.",
        "Send it in full, as a browser shows it: it starts with http:// or https://.",
    ),
    Code.BLOCKED_ADDRESS: Failure(
        "That link leads to a private network address, and I do not go there.",
        "Send a public link, or ask the owner to add the address to LINKFERRY_ALLOWED_ADDRESSES.",
    ),
    Code.UNSUPPORTED: Failure(
        "I found no video or audio behind that link.", "Send the link of the page that plays it."
    ),
    Code.NOT_FOUND: Failure(
        "The site says there is nothing at that link any more.", "Check the link in a browser."
    ),
    Code.PRIVATE: Failure("This video is private.", "Ask its owner to share it publicly."),
    Code.LOGIN_REQUIRED: Failure(
        "The site shows this only to people who are logged in.",
        "Ask the owner of this bot to set LINKFERRY_COOKIE_FILE.",
    ),
    Code.AGE_RESTRICTED: Failure(
        "The site asks for a logged-in adult for this video.",
        "Ask the owner of this bot to set LINKFERRY_COOKIE_FILE.",
    ),
    Code.GEO_BLOCKED: Failure(
        "The site does not show this video in the country I run in.", "Look for another copy of it."
    ),
    Code.DRM: Failure("This video is protected by DRM, which I do not break.", "Watch it on its own site."),
    Code.LIVE: Failure("This stream has not ended yet.", "Send the link again when the recording is up."),
    Code.PLAYLIST: Failure("That link is a playlist.", "Send the link of one video in it."),
    Code.TOO_LARGE: Failure(
        "This file is larger than I may fetch.", "Ask for a lower quality, or audio only."
    ),
    Code.NO_CAPTIONS: Failure(
        "This video has no captions in a language you asked for.",
        "Send /subs with another language or 'all'.",
    ),
    Code.NO_FORMAT: Failure(
        "The site offers nothing in that quality or format.", "Ask for 'best', or another format."
    ),
    Code.CLIP_OUTSIDE: Failure(
        "That clip starts after the video ends.", "Send a clip range inside the video's length."
    ),
    Code.NETWORK: Failure(
        "I could not reach the site, or it hung up on me.",
        "Check the link; if it is right, send it again later.",
        Retry.BACKOFF,
    ),
    Code.SITE_ERROR: Failure(
        "The site answered with an error of its own.",
        "Check the link in a browser, or send it again later.",
        Retry.BACKOFF,
    ),
    Code.THROTTLED: Failure(
        "The site asks me to slow down.", "Wait a while, then send it again.", Retry.COOL_DOWN
    ),
    Code.BOT_CHECK: Failure(
        "The site asks me to prove that I am not a robot.",
        "Try again later, or ask the owner of this bot to set LINKFERRY_COOKIE_FILE.",
        Retry.COOL_DOWN,
    ),
    Code.STALLED: Failure("The download stood still for too long.", "Send it again later.", Retry.BACKOFF),
    Code.TIMED_OUT: Failure(
        "This took longer than a download may take.", "Ask for a lower quality, audio only, or a clip."
    ),
    Code.BROKEN_FILE: Failure(
        "What the site sent is not a whole, playable file.", "Send it again later.", Retry.BACKOFF
    ),
    Code.DAMAGED: Failure(
        "What the site has is not a whole, playable file, and it stays so.", "Look for another copy of it."
    ),
    Code.DISK_FULL: Failure(
        "There is no room left to store this.", "Ask the owner of this bot to free some space.", Retry.BACKOFF
    ),
    Code.QUOTA: Failure(
        "You have fetched as much as one person may in 24 hours; a day later there is room again.",
        "Send the link again then.",
    ),
    Code.CRASHED: Failure(
        "This link brought my worker down several times, so I stopped trying.",
        "Tell the owner of this bot; the log has the details.",
    ),
    Code.INTERNAL: Failure(
        "Something went wrong on my side.",
        "Send it again later; if it stays so, tell the owner of this bot.",
        Retry.BACKOFF,
    ),
    Code.CANCELLED: Failure("Cancelled.", "Send the link again whenever you like."),
}


class JobError(LinkferryError):
    """A job cannot go on.

    `sentence` replaces the code's own sentence where a number belongs in it (a playlist's count), and
    `next_step` what to do where the code's own would not help; `detail` is the cause, for the log only;
    `retry_after` is what the site asked for, in seconds.
    """

    def __init__(
        self,
        code: Code,
        detail: str = "",
        *,
        sentence: str | None = None,
        next_step: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {detail}" if detail else str(code))
        self.code = code
        self.detail = detail
        self.sentence = sentence or FAILURES[code].sentence
        self.next_step = next_step or FAILURES[code].next_step
        self.retry_after = retry_after

    @property
    def message(self) -> str:
        """One sentence and a next step, for the person."""
        return f"{self.sentence} {self.next_step}"
