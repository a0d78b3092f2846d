"""What a person asked for, typed. Nothing else ever reaches the downloader from a chat."""

from enum import StrEnum
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator


class Quality(StrEnum):
    """The height wanted: this, or the best below it."""

    BEST = "best"
    P2160 = "2160p"
    P1440 = "1440p"
    P1080 = "1080p"
    P720 = "720p"
    P480 = "480p"
    WORST = "worst"

    @property
    def max_height(self) -> int | None:
        """The largest height allowed, in pixels; None for best and worst."""
        return int(self.value[:-1]) if self.value.endswith("p") else None


class MediaFormat(StrEnum):
    """The container of the result."""

    MP4 = "mp4"
    WEBM = "webm"
    MKV = "mkv"
    MP3 = "mp3"
    M4A = "m4a"
    WAV = "wav"

    @property
    def is_audio(self) -> bool:
        """True when the result has sound only."""
        return self in (MediaFormat.MP3, MediaFormat.M4A, MediaFormat.WAV)


class CaptionFormat(StrEnum):
    """The format of a transcript file."""

    SRT = "srt"
    VTT = "vtt"
    TXT = "txt"
    MD = "md"
    JSON = "json"


USUAL_CAPTIONS = (CaptionFormat.SRT, CaptionFormat.VTT, CaptionFormat.TXT)
"""What comes of captions when nobody says which formats they want."""


class Frozen(BaseModel):
    """A value: immutable, and strict about unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Clip(Frozen):
    """A part of the video, in seconds from its start."""

    start: float
    end: float

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 <= self.start < self.end:
            raise ValueError("a clip ends after it starts")
        return self

    @property
    def length(self) -> float:
        """Seconds."""
        return self.end - self.start


class Options(Frozen):
    """Everything that decides what a job produces; equal options on one link are one job.

    `probe_only` ends once it is known what the link offers: no file comes of it. `media` is False for a
    transcript-only job. `languages` are caption languages as the person wrote them, in order of preference;
    empty means: no captions wanted. `speech`: what is heard in it, whatever captions the site has.
    `timestamps`: each paragraph of a TXT begins with its time.
    """

    probe_only: bool = False
    media: bool = True
    quality: Quality = Quality.P1080
    format: MediaFormat = MediaFormat.MP4
    clip: Clip | None = None
    languages: tuple[str, ...] = ()
    caption_formats: tuple[CaptionFormat, ...] = USUAL_CAPTIONS
    translate_to: str | None = None
    speech: bool = False
    timestamps: bool = False
