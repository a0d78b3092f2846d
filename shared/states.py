"""The words that rows use for where things stand."""

from enum import StrEnum


class JobState(StrEnum):
    """queued -> running -> done | failed | cancelled; back to queued for another attempt.

    `joined`: the job turned out to be the same as another one, which now carries its requests.
    """

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    JOINED = "joined"

    @property
    def is_active(self) -> bool:
        """True while somebody is, or will be, working on it."""
        return self in ACTIVE


ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class Stage(StrEnum):
    """Where a running job is."""

    PROBE = "probe"
    DOWNLOAD = "download"
    CAPTIONS = "captions"
    SPEECH = "speech"
    TRANSLATE = "translate"
    CONVERT = "convert"
    VERIFY = "verify"
    STORE = "store"


class ArtifactKind(StrEnum):
    """What a stored file is."""

    VIDEO = "video"
    AUDIO = "audio"
    CAPTIONS = "captions"
    TRANSCRIPT = "transcript"
    THUMBNAIL = "thumbnail"
    INFO = "info"


PULLED = ("terminal", "api")
"""Platforms whose askers look for themselves: there is no message to deliver a result to."""


class Delivery(StrEnum):
    """Whether the result, good or bad, has reached the person."""

    PENDING = "pending"
    DELIVERED = "delivered"


class Role(StrEnum):
    """What a person or a chat may do. Whoever has no role may do nothing."""

    OWNER = "owner"
    ALLOWED = "allowed"
    DENIED = "denied"
