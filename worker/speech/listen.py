"""The worker's end: whether speech is to be recognised, and the process that does it.

No loop waits for it and no byte of sound passes through the worker. Cancelling ends the process group.
"""

import asyncio
import importlib.util
import logging
import os
import re
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import worker
from shared.errors import Code, ConfigError, JobError
from shared.languages import UNKNOWN, normalize_language
from shared.options import Clip, MediaFormat, Options, Quality
from shared.settings import Settings
from worker.child.protocol import CaptionFile, CaptionSource, Media, StreamFile
from worker.media import Kind, inspect
from worker.media.process import run
from worker.speech.messages import (
    MAX_LINE,
    MESSAGE,
    Done,
    Failed,
    Heard,
    Loaded,
    Message,
    Note,
    Task,
    Trouble,
)

log = logging.getLogger(__name__)

SOUND = Options(quality=Quality.WORST, format=MediaFormat.M4A)  # the smallest there is
FETCHING = 3600.0  # seconds a model may take to be fetched and loaded
STANDSTILL = 600.0  # seconds without a word; half a minute of sound can take a large model minutes

OFF = "Speech recognition is not set up here; the owner of this bot can set LINKFERRY_SPEECH_MODEL."
NOT_INSTALLED = "I cannot recognise speech here, because faster-whisper is not installed."
NO_MODEL = "I cannot recognise speech here, because the speech model is missing or unusable."
ENGLISH_ONLY = "The speech model that is set up here understands English only."
NO_SOUND = "It has no sound that I could listen to."
NOBODY = "I listened to it and heard nobody speak."
FAILED = "I tried to listen to it, but that did not work."
_SENTENCES = {
    Trouble.NO_MODEL: (Code.NO_CAPTIONS, NO_MODEL),
    Trouble.WRONG_LANGUAGE: (Code.NO_CAPTIONS, ENGLISH_ONLY),
    Trouble.BROKEN_SOUND: (Code.BROKEN_FILE, None),
}
# Where models are kept and how they are fetched, and what a graphics card needs; no secret of the worker's.
_PASSED_ON = re.compile(
    r"(HOME|TMPDIR|LD_LIBRARY_PATH|(HF|CUDA|NVIDIA|OMP|MKL|CT2|SSL)_\w+|\w+_(proxy|PROXY))"
)
_SECRETS = re.compile(r"TOKEN|KEY|SECRET")


class Speech:
    """Speech recognition as the settings want it; one for a worker, which it keeps from doing too much."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._turns = asyncio.Semaphore(settings.speech_concurrency)

    @property
    def obstacle(self) -> str | None:
        """Why there is none, in a sentence for the person; None when there is."""
        model = self._settings.speech_model
        if not model:
            return OFF
        if importlib.util.find_spec("faster_whisper") is None:
            return NOT_INSTALLED
        place = Path(model).expanduser()
        if (place.exists() or model.startswith((".", "/", "~"))) and not (place / "model.bin").is_file():
            return NO_MODEL
        return None

    def is_preferred(self, options: Options) -> bool:
        """Whether the site need not be asked for captions at all."""
        return options.speech and self.obstacle is None

    def is_due(self, options: Options, tracks: Sequence[CaptionFile] | None) -> bool:
        """Whether to listen: captions are wanted and the site has none. None means that it hides them."""
        return bool(options.languages) and tracks is not None and not tracks and self.obstacle is None

    def hint(self, options: Options, tracks: Sequence[CaptionFile] | None) -> str | None:
        """What to say about speech that was not listened to; nothing when nobody would expect it."""
        is_missed = options.speech or (options.languages and tracks is not None and not tracks)
        is_expected = options.speech or self._settings.speech_model
        return self.obstacle if is_missed and is_expected else None

    async def hear(
        self,
        found: Media,
        files: Sequence[StreamFile],
        folder: Path,
        clip: Clip | None,
        on_progress: Callable[[float], None],
    ) -> CaptionFile | None:
        """Listen to the file that has the sound; None when nobody speaks. Waits until it is its turn.

        `on_progress` gets a fraction from 0 to 1. Raises JobError, mostly with a sentence of its own:
        NO_CAPTIONS where it cannot be done here, BROKEN_FILE, STALLED, TIMED_OUT, INTERNAL when it dies.
        """
        source = next(
            (Path(file.path) for kind in ("audio", "both") for file in files if file.kind == kind), None
        )
        info = await inspect(source) if source else None
        if source is None or info is None or not info.of(Kind.AUDIO):
            raise JobError(Code.NO_CAPTIONS, "no sound track", sentence=NO_SOUND)
        task = self._task(source, folder, clip, found.language)
        length = clip.length if clip else info.duration or found.duration
        async with self._turns:
            done = await self._run(
                task, folder, lambda until: on_progress(min(1.0, until / (length or until)))
            )
        if not done.words:
            return None
        language = normalize_language(done.language or "") or UNKNOWN
        return CaptionFile(path=task.target, language=language, source=CaptionSource.SPEECH, format="json3")

    def _task(self, source: Path, folder: Path, clip: Clip | None, language: str | None) -> Task:
        settings = self._settings
        return Task(
            source=str(source),
            journal=str(folder / "speech.journal"),
            target=str(folder / "speech.json3"),
            model=str(Path(settings.speech_model).expanduser()),
            models=str(settings.data_dir.resolve() / "models"),
            device=settings.speech_device,
            threads=settings.speech_threads,
            language=language,
            start=clip.start if clip else 0.0,
            length=clip.length if clip else None,
        )

    async def _run(self, task: Task, folder: Path, heard: Callable[[float], None]) -> Done:
        note = folder / "speech.task.json"
        note.write_text(task.model_dump_json(), encoding="utf-8")
        answer = _Answer(heard)
        try:
            async with self._in_time(answer):
                await run(sys.executable, ("-m", "worker.speech", str(note)), answer.feed, _environment())
        except ConfigError as error:
            raise JobError(Code.INTERNAL, str(error), sentence=FAILED) from error
        except JobError as error:  # its exit status or its last words
            if error.code in (Code.STALLED, Code.TIMED_OUT, Code.DISK_FULL):
                raise
            if "cpu" not in (task.device, answer.device):  # a driver can take the whole process down
                log.warning("the graphics card may have failed (%s): now on the processor", error.detail)
                return await self._run(task.model_copy(update={"device": "cpu"}), folder, heard)
            raise JobError(Code.INTERNAL, f"speech: {error.detail}", sentence=FAILED) from error
        finally:
            note.unlink(missing_ok=True)
        return answer.result()

    @asynccontextmanager
    async def _in_time(self, answer: "_Answer") -> AsyncIterator[None]:
        """End what takes too long, and what gets no further."""
        limit = self._settings.speech_timeout
        whole, still = asyncio.timeout(limit), asyncio.timeout(FETCHING)
        now = asyncio.get_running_loop().time

        def moved() -> None:
            if not still.expired():
                still.reschedule(now() + max(STANDSTILL, self._settings.stall_timeout))

        answer.moved = moved
        try:
            async with whole, still:
                yield
        except TimeoutError as error:
            if still.expired():
                raise JobError(Code.STALLED, "speech: no word for too long", sentence=FAILED) from error
            if not whole.expired():
                raise
            sentence = f"Listening to it would take more than the {limit} s that I may spend on it."
            raise JobError(Code.TIMED_OUT, f"speech: longer than {limit} s", sentence=sentence) from error


class _Answer:
    """Puts together the lines that the process says, and keeps how it ended."""

    def __init__(self, heard: Callable[[float], None]) -> None:
        self._heard = heard
        self._rest = b""
        self._last: Done | Failed | None = None
        self.device: str | None = None
        self.moved: Callable[[], None] = lambda: None

    def feed(self, data: bytes) -> None:
        """Take the next piece of output, which may end anywhere. Raises JobError when it is no answer."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > MAX_LINE:
            raise JobError(Code.INTERNAL, "the process said a line that is too long")
        for line in lines:
            self._take(_parsed(line))

    def _take(self, message: Message) -> None:
        match message:
            case Note(text=text):
                log.warning("%s", text)
            case Loaded(device=device):
                self.device = device
                self.moved()
            case Heard(until=until):
                self.moved()
                self._heard(until)
            case Done() | Failed():
                self._last = message

    def result(self) -> Done:
        """How it ended. Raises JobError."""
        if isinstance(self._last, Done):
            return self._last
        if self._last is None:
            raise JobError(Code.INTERNAL, "the process ended without an answer", sentence=FAILED)
        code, sentence = _SENTENCES[self._last.trouble]
        raise JobError(code, f"speech: {self._last.detail}", sentence=sentence)


def _parsed(line: bytes) -> Message:
    try:
        return MESSAGE.validate_json(line)
    except ValueError as error:
        raise JobError(Code.INTERNAL, f"the process said what is no message: {line[:200]!r}") from error


def _environment() -> dict[str, str]:
    root = str(Path(next(iter(worker.__path__))).parent)
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if _PASSED_ON.fullmatch(name) and (name == "HF_TOKEN" or not _SECRETS.search(name))
    }
    return passed_on | {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": root, "PYTHONUTF8": "1"}
