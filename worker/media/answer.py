"""What ffprobe answers, typed, as far as anybody asks. A child that looks at a file answers in the same form.

Numbers may come as text, as ffprobe writes them; what it does not know, it leaves out.
"""

from pydantic import BaseModel, ConfigDict


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class FormatTags(_Part):
    """Of the file as a whole; an mp4's brand tells it from a QuickTime file."""

    major_brand: str = ""


class FormatAnswer(_Part):
    """The file as a whole; times in seconds, `format_name` all names of its container with commas between."""

    format_name: str = ""
    duration: float | None = None
    start_time: float | None = None
    tags: FormatTags = FormatTags()


class Disposition(_Part):
    """What a stream is for."""

    attached_pic: bool = False


class StreamAnswer(_Part):
    """One stream; `has_b_frames` says for how many frames one is held back."""

    index: int
    codec_type: str = ""
    codec_name: str = "unknown"
    width: int | None = None
    height: int | None = None
    channels: int | None = None
    has_b_frames: int = 0
    disposition: Disposition = Disposition()


class PacketAnswer(_Part):
    """One packet; its time in seconds, a K among the flags of a keyframe."""

    pts_time: float | None = None
    flags: str = ""


class FrameAnswer(_Part):
    """One decoded frame; its time in seconds."""

    best_effort_timestamp_time: float | None = None


class Answer(_Part):
    """All of it; only what was asked for is there."""

    format: FormatAnswer = FormatAnswer()
    streams: tuple[StreamAnswer, ...] = ()
    packets: tuple[PacketAnswer, ...] = ()
    frames: tuple[FrameAnswer, ...] = ()
