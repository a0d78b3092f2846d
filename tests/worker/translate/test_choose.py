"""Which translator the settings mean, and that a worker without one loads nothing for it."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from shared.settings import Settings
from worker.translate import choose_translator, open_translation


def name_of(**given: Any) -> str | None:
    translator = choose_translator(Settings(_env_file=None, **given))
    return translator.name if translator else None


@pytest.mark.parametrize("is_installed", [True, False])
def test_left_to_itself_it_takes_what_there_is(monkeypatch: pytest.MonkeyPatch, is_installed: bool) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/apertium" if is_installed else None)
    assert name_of() == ("apertium" if is_installed else None)
    assert name_of(libretranslate_url="http://10.0.0.1:5000") == "libretranslate"


@pytest.mark.parametrize("translator", ["libretranslate", "amazon", "apertium"])
def test_what_is_chosen_is_taken(translator: str) -> None:
    given = {"translator": translator, "libretranslate_url": "http://10.0.0.1:5000"}
    assert name_of(**given) == translator
    assert choose_translator(Settings(_env_file=None, **given)) is choose_translator(  # it learns
        Settings(_env_file=None, **given)
    )


def test_none_is_none(tmp_path: Path) -> None:
    settings = Settings(
        _env_file=None, data_dir=tmp_path, translator="none", libretranslate_url="http://10.0.0.1"
    )
    assert choose_translator(settings) is None
    assert open_translation(settings) is None


@pytest.mark.parametrize(
    "given",
    [{"translator": "libretranslate"}, {"libretranslate_url": "localhost:5000"}, {"translator": "google"}],
)
def test_settings_that_cannot_work_are_refused_at_the_start(given: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Settings(_env_file=None, **given)


def test_secrets_are_not_shown() -> None:
    settings = Settings(
        _env_file=None, libretranslate_url="https://user:s3cret@a.example", libretranslate_api_key="s3cret"
    )
    assert "s3cret" not in repr(settings)


def test_a_worker_loads_an_adapter_only_for_a_text() -> None:
    code = "import sys, worker.translate; print({'boto3', 'aiohttp', 'httpx'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
