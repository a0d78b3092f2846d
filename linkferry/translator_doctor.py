"""What `linkferry doctor` says about translation: who would do it, and whether they answer."""

import asyncio

from shared.checks import Finding
from shared.settings import Settings
from worker.translate import TranslatorUnavailable, choose_translator

PATIENCE = 15.0  # seconds; LibreTranslate and Amazon are asked more than once
NAMES = {"libretranslate": "LibreTranslate", "amazon": "Amazon Translate", "apertium": "Apertium"}
ADVICE = {
    "libretranslate": "Start it, or correct LINKFERRY_LIBRETRANSLATE_URL and ..._API_KEY.",
    "amazon": "It needs credentials with translate:TranslateText and translate:ListLanguages, and a region.",
    "apertium": "Install it with a pair of languages: apt install apertium apertium-eng-spa.",
}


async def look(settings: Settings) -> Finding:
    """Nothing of it is fatal: without a translator people get the original, and a sentence."""
    translator = choose_translator(settings)
    if translator is None:
        return Finding("translator", "none; LINKFERRY_LIBRETRANSLATE_URL or Apertium would be one")
    name = NAMES[translator.name]
    try:
        async with asyncio.timeout(PATIENCE):
            languages = set(await translator.languages())
    except (TranslatorUnavailable, TimeoutError):  # its words may hold an address that is nobody's business
        return Finding("translator", f"{name} does not answer.", ADVICE[translator.name])
    if not languages:
        return Finding("translator", f"{name} has no languages.", ADVICE[translator.name])
    return Finding("translator", f"{name}, from {len(languages)} languages")
