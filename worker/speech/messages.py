"""What the worker tells the process that listens, and what that answers: one JSON object a line."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from shared.options import Frozen

MAX_LINE = 64 * 1024  # bytes


class Task(Frozen):
    """One file to listen to. Times in seconds, `models` the folder that keeps models fetched by name.

    `language` is what the site says is spoken. `journal` keeps what has been heard so far, for an attempt
    after this one; `target` gets the captions.
    """

    source: str
    journal: str
    target: str
    model: str
    models: str
    device: Literal["auto", "cpu", "cuda"]
    threads: int
    language: str | None = None
    start: float = 0.0
    length: float | None = None


class Trouble(StrEnum):
    """Why nothing could be heard."""

    NO_MODEL = "no_model"
    WRONG_LANGUAGE = "wrong_language"
    BROKEN_SOUND = "broken_sound"


class Note(Frozen):
    """Something the log should say; the work goes on."""

    type: Literal["note"] = "note"
    text: str


class Loaded(Frozen):
    """The model is ready."""

    type: Literal["loaded"] = "loaded"
    device: str


class Heard(Frozen):
    """How far it is, in seconds of sound."""

    type: Literal["heard"] = "heard"
    until: float


class Done(Frozen):
    """Everything is heard; `target` is written when `words` is not 0. `language` is the model's own code."""

    type: Literal["done"] = "done"
    words: int
    language: str | None


class Failed(Frozen):
    """It cannot be done; `detail` is for the log."""

    type: Literal["failed"] = "failed"
    trouble: Trouble
    detail: str


Message = Annotated[Note | Loaded | Heard | Done | Failed, Field(discriminator="type")]
MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
