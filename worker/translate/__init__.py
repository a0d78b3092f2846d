"""Translation: sentences in one language become sentences in another, whoever does it.

`port` says what a translator is; `libretranslate`, `amazon` and `apertium` are three; `choose` takes the one
of the settings; `translation` sends each sentence once, in bounded batches, and keeps what came back in
`cache`. What a sentence is and how a translation gets its times is the business of `worker.captions`.
"""

from worker.translate.cache import Cache
from worker.translate.choose import cache_folder, choose_translator, open_translation
from worker.translate.port import LanguagePairUnknown, TranslationError, Translator, TranslatorUnavailable
from worker.translate.translation import Translation

__all__ = [
    "Cache",
    "LanguagePairUnknown",
    "Translation",
    "TranslationError",
    "Translator",
    "TranslatorUnavailable",
    "cache_folder",
    "choose_translator",
    "open_translation",
]
