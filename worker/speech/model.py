"""The model: found on the disk or fetched by name, on the graphics card when there is a usable one."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from worker.speech.messages import Task
from worker.speech.sound import RATE, Samples

CERTAIN = 0.5  # probability of the language from which the rest of the file is taken to be in it
MOST_THREADS = 4  # more hardly help, and the downloads want some


class NoModel(Exception):
    """It is not there, cannot be fetched, or is none."""


class WrongLanguage(Exception):
    """It understands English only, and the site says that something else is spoken."""


class Word(NamedTuple):
    """A word with the white space before it; times in seconds."""

    start: float
    end: float
    text: str


class Listener(Protocol):
    """Whatever turns sound into words. `language` is None until it is certain."""

    language: str | None
    device: str

    def listen(self, samples: Samples) -> Iterator[list[Word]]:
        """The words of a window, some seconds at a time; times from the window's start."""


class Whisper:
    """faster-whisper. Silence and music are left out before the model could imagine words in them."""

    def __init__(self, model: Any, device: str) -> None:
        self._model = model
        self.device = device
        self.language: str | None = None

    def understands(self, language: str) -> bool:
        """Whether there is a point in listening to that language: many models know only English."""
        return self._model.model.is_multilingual or language.partition("-")[0] == "en"

    def listen(self, samples: Samples) -> Iterator[list[Word]]:
        """See `Listener`."""
        segments, info = self._model.transcribe(
            samples.astype(np.float32) / 32768,
            language=self.language,
            word_timestamps=True,
            vad_filter=True,
            condition_on_previous_text=False,  # else one misheard loop repeats to the end
        )
        if info.language_probability >= CERTAIN and info.duration_after_vad > 0:
            self.language = info.language
        for segment in segments:
            yield [Word(float(word.start), float(word.end), word.word) for word in segment.words or ()]


def load(task: Task, note: Callable[[str], None]) -> Whisper:
    """The model on the device wanted, else on the processor. Raises NoModel or WrongLanguage."""
    place = find(task.model, Path(task.models), note)
    model = None if task.device == "cpu" else _on_graphics_card(place, task.device == "cuda", note)
    whisper = Whisper(model, "cuda") if model else Whisper(_on_processor(place, task.threads), "cpu")
    if task.language and not whisper.understands(task.language):
        raise WrongLanguage(task.language)
    return whisper


def find(model: str, folder: Path, note: Callable[[str], None]) -> Path:
    """Where a model lies that is a path or a name; the name's is fetched once. Raises NoModel."""
    from faster_whisper.utils import download_model

    if Path(model).is_dir():
        return Path(model)
    try:
        return Path(download_model(model, cache_dir=str(folder), local_files_only=True))
    except ValueError as error:  # no such name
        raise NoModel(str(error)) from error
    except Exception:
        note(f"fetching the speech model {model}")
    try:
        return Path(download_model(model, cache_dir=str(folder)))
    except Exception as error:
        raise NoModel(f"{model} could not be fetched: {error}") from error


def _on_graphics_card(place: Path, is_demanded: bool, note: Callable[[str], None]) -> Any | None:
    """None when it does not serve. Missing libraries show only when it really calculates, so it does."""
    import ctranslate2

    try:
        if not ctranslate2.get_cuda_device_count():
            if is_demanded:
                note("there is no usable graphics card: speech is recognised on the processor")
            return None
        model = _open(place, device="cuda", compute_type="auto")
        list(model.transcribe(np.zeros(RATE, np.float32), language="en", beam_size=1)[0])
        return model
    except Exception as error:  # a driver or a library that does not fit says so in many ways
        note(f"the graphics card does not serve ({error}): speech is recognised on the processor")
        return None


def _on_processor(place: Path, threads: int) -> Any:
    threads = threads or min(MOST_THREADS, os.cpu_count() or 1)
    return _open(place, device="cpu", compute_type="int8", cpu_threads=threads)


def _open(place: Path, **how: Any) -> Any:
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(str(place), local_files_only=True, **how)
    except Exception as error:
        raise NoModel(f"{place.name} cannot be used: {error}") from error
