"""Which translator the settings mean."""

import shutil
from functools import cache
from pathlib import Path

from shared.settings import Settings
from worker.translate.cache import Cache
from worker.translate.port import Translator
from worker.translate.translation import Translation


def open_translation(settings: Settings) -> Translation | None:
    """What the settings have for translating; None when there is nothing."""
    translator = choose_translator(settings)
    return Translation(translator, Cache(cache_folder(settings))) if translator else None


def cache_folder(settings: Settings) -> Path:
    """Where translations are kept."""
    return settings.data_dir.resolve() / "translations"


def choose_translator(settings: Settings) -> Translator | None:
    """The translator of the settings; None when there is none."""
    chosen = settings.translator
    if chosen == "auto":
        chosen = "libretranslate" if settings.libretranslate_url else "apertium"
        if chosen == "apertium" and shutil.which("apertium") is None:
            return None
    if chosen == "libretranslate":
        return _libretranslate(settings.libretranslate_url, settings.libretranslate_api_key)
    if chosen == "amazon":
        return _amazon(settings.aws_region)
    return _apertium() if chosen == "apertium" else None


# One of each for all jobs, because they learn: limits, a client. What they need is loaded only here.


@cache
def _libretranslate(url: str, api_key: str) -> Translator:
    from worker.translate.libretranslate import LibreTranslate

    return LibreTranslate(url, api_key)


@cache
def _amazon(region: str) -> Translator:
    from worker.translate.amazon import AmazonTranslate

    return AmazonTranslate(region)


@cache
def _apertium() -> Translator:
    from worker.translate.apertium import Apertium

    return Apertium()
