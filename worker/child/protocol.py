"""What the worker and its child say to each other: typed values, one JSON object a line, sizes bounded.

The worker sends a `Call`; the child answers with any number of `Progress` lines and then one `Reply`.
The first call is always `Hello`, which sets the limits the child lives under. Calls are answered one at
a time, in order. Python objects never cross the pipe.
"""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field

from shared.errors import Code
from shared.options import Frozen, Options
from worker.media.answer import Answer

MAX_LINE = 4 * 1024 * 1024  # bytes; longer lines end the child
MAX_RETRY_AFTER = 24 * 3600.0  # seconds; a site that asks for more is asked again tomorrow


class Limits(Frozen):
    """What one child may use. Times in seconds, sizes in bytes; `room`: None where nobody can tell."""

    max_bytes: int
    room: int | None = None
    wall_clock: float
    no_progress: float
    allowed_addresses: tuple[str, ...] = ()
    playlist_limit: int = 1


class Identity(Frozen):
    """Which video a link means, as far as yt-dlp can tell without the network. No id is cut or empty."""

    extractor: str
    media_id: str


class Chapter(Frozen):
    """A named part; times in seconds."""

    start: float
    end: float
    title: str


class Offer(Frozen):
    """One height the site really has; `size` in bytes is an estimate, None when unknown."""

    height: int
    size: int | None = None


class Media(Frozen):
    """What probing a link found. `upload_date` is YYYY-MM-DD; `duration` in seconds.

    `captions` and `automatic_captions` list language codes; `hides_captions`: the site has more of them, but
    not for programs. `playlist_count` is set when the link was a playlist and this is its first entry.
    `media_id` differs for different media: where it would be too long a SHA-256 stands in.
    """

    extractor: str
    media_id: str
    title: str
    duration: float | None = None
    channel: str | None = None
    upload_date: str | None = None
    chapters: tuple[Chapter, ...] = ()
    offers: tuple[Offer, ...] = ()
    has_audio: bool = True
    language: str | None = None
    captions: tuple[str, ...] = ()
    automatic_captions: tuple[str, ...] = ()
    hides_captions: bool = False
    playlist_count: int | None = None


class StreamFile(Frozen):
    """One downloaded file in the work folder; a video and an audio file are merged later."""

    path: str
    kind: Literal["video", "audio", "both"]
    size: int


class CaptionSource(StrEnum):
    """Who made a caption track. `speech` is made here, by listening; no site sends that."""

    MANUAL = "manual"
    AUTOMATIC = "automatic"
    TRANSLATED = "translated"
    SPEECH = "speech"


class CaptionFile(Frozen):
    """One caption track as the site sent it; `format` is the site's own: json3, vtt, srt, ttml ..."""

    path: str
    language: str
    source: CaptionSource
    format: str


# Worker to child ---------------------------------------------------------------------------------


class Hello(Frozen):
    """The first call: where to work, and the limits. `cookie_file` is this job's private copy."""

    call: Literal["hello"] = "hello"
    work_dir: str
    limits: Limits
    cookie_file: str | None = None


class Probe(Frozen):
    """Look at a link. Answered with `media`."""

    call: Literal["probe"] = "probe"
    link: str


class Download(Frozen):
    """Fetch what the options ask for, resuming what is there. Answered with `files`."""

    call: Literal["download"] = "download"
    options: Options


class Captions(Frozen):
    """Fetch caption tracks for the languages, best match first. Answered with `captions`, maybe empty."""

    call: Literal["captions"] = "captions"
    languages: tuple[str, ...]


class Extras(Frozen):
    """Fetch the thumbnail and write the info JSON; see `info.py`. Answered with `thumbnail` and `info`."""

    call: Literal["extras"] = "extras"


class Look(Frozen):
    """Look at downloaded files; see `look.py`. Answered with `looks`, in their order."""

    call: Literal["look"] = "look"
    paths: tuple[str, ...]


Call = Annotated[Hello | Probe | Download | Captions | Extras | Look, Field(discriminator="call")]


# Child to worker ---------------------------------------------------------------------------------


class Progress(Frozen):
    """How far a download is; None where nobody knows. `speed` in bytes/s, `eta` in seconds.

    `arrived`: bytes that came from the network since the line before, whatever they were for.
    """

    type: Literal["progress"] = "progress"
    arrived: int = 0
    done: int
    total: int | None = None
    fraction: float | None = None
    speed: float | None = None
    eta: float | None = None


class Failed(Frozen):
    """A call did not work out; becomes a `JobError` on the worker's side."""

    code: Code
    detail: str
    sentence: str | None = None
    retry_after: float | None = Field(default=None, ge=0, le=MAX_RETRY_AFTER)


class Reply(Frozen):
    """The answer to one call: exactly one of the fields that call promises, or `error`."""

    type: Literal["reply"] = "reply"
    arrived: int = 0
    media: Media | None = None
    files: tuple[StreamFile, ...] | None = None
    captions: tuple[CaptionFile, ...] | None = None
    thumbnail: str | None = None
    info: str | None = None
    looks: tuple[Answer, ...] | None = None
    error: Failed | None = None


Message = Annotated[Progress | Reply, Field(discriminator="type")]
