"""Language words: what people write, the code it means, and the name to show for a code.

Strict on purpose: yt-dlp reads a language as a regular expression, so only known codes go through.
"""

import re

ALL = "all"
ORIGINAL = "orig"  # the one that is spoken
UNKNOWN = "und"  # BCP 47 for one that nobody could tell

# code, English names (the first is shown), three-letter codes that mean the same
_TABLE = """
af Afrikaans afr | sq Albanian sqi alb | am Amharic amh | ar Arabic ara | hy Armenian hye arm
az Azerbaijani Azeri aze | eu Basque eus baq | be Belarusian bel | bn Bengali Bangla ben | bs Bosnian bos
bg Bulgarian bul | my Burmese mya bur | ca Catalan cat | zh Chinese Mandarin zho chi cmn
yue Cantonese | hr Croatian hrv | cs Czech ces cze | da Danish dan | nl Dutch Flemish nld dut
en English eng | et Estonian est | fil Filipino Tagalog tgl | fi Finnish fin | fr French fra fre
gl Galician glg | ka Georgian kat geo | de German deu ger | el Greek ell gre | gu Gujarati guj
he Hebrew heb | hi Hindi hin | hu Hungarian hun | is Icelandic isl ice | id Indonesian ind | ga Irish gle
it Italian ita | ja Japanese jpn | jv Javanese jav | kn Kannada kan | kk Kazakh kaz | km Khmer khm
ko Korean kor | ku Kurdish kur | lo Lao lao | la Latin lat | lv Latvian lav | lt Lithuanian lit
mk Macedonian mkd mac | ms Malay msa may | ml Malayalam mal | mt Maltese mlt | mr Marathi mar
mn Mongolian mon | ne Nepali nep | no Norwegian Bokmal nor nob | ps Pashto pus | fa Persian Farsi fas per
pl Polish pol | pt Portuguese por | pa Punjabi pan | ro Romanian ron rum | ru Russian rus | sr Serbian srp
si Sinhala sin | sk Slovak slk slo | sl Slovenian slv | so Somali som | es Spanish Castilian spa
sw Swahili swa | sv Swedish swe | ta Tamil tam | te Telugu tel | th Thai tha | tr Turkish tur
uk Ukrainian ukr | ur Urdu urd | uz Uzbek uzb | vi Vietnamese vie | cy Welsh cym wel | yi Yiddish yid
xh Xhosa xho | yo Yoruba yor | zu Zulu zul | ha Hausa hau | ig Igbo ibo | eo Esperanto epo
"""

# Every other two-letter code of ISO 639-1, and the three-letter ones that big sites offer captions in.
_MORE_CODES = """
aa ab ae ak an as av ay ba bi bm bo br ce ch co cr cu cv dv dz ee fo ff fj fy gd gn gv ho ht hz ia ie ii ik
io iu kg ki kj kl kr ks kv kw ky lb lg li ln lu mg mh mi na nd ng nn nr nv ny oc oj om or os pi qu rm rn rw
sa sc sd se sg sm sn ss st su tg ti tk tn to ts tt tw ty ug ve vo wa wo za
bho ceb gaa haw hmn kha kri lua luo mfe new nso pam sco tlh tum war ast arz apc ary hak nan wuu
"""

_ALIASES = {"iw": "he", "in": "id", "ji": "yi", "jw": "jv", "nb": "no", "tl": "fil", "original": ORIGINAL}

_VARIANTS = {
    "en-GB": "English (United Kingdom)",
    "en-US": "English (United States)",
    "es-419": "Spanish (Latin America)",
    "es-ES": "Spanish (Spain)",
    "es-MX": "Spanish (Mexico)",
    "fr-CA": "French (Canada)",
    "pt-BR": "Portuguese (Brazil)",
    "pt-PT": "Portuguese (Portugal)",
    "zh-CN": "Chinese (China)",
    "zh-HK": "Chinese (Hong Kong)",
    "zh-Hans": "Chinese (Simplified)",
    "zh-Hant": "Chinese (Traditional)",
    "zh-TW": "Chinese (Taiwan)",
}

_PHRASES = {
    "brazilian": "pt-BR",
    "brazilian portuguese": "pt-BR",
    "latin american spanish": "es-419",
    "simplified chinese": "zh-Hans",
    "traditional chinese": "zh-Hant",
}

_CODE = re.compile(r"(?P<language>[a-z]{2,3})(?:-(?P<script>[a-z]{4}))?(?:-(?P<region>[a-z]{2}|[0-9]{3}))?")


def _read_table() -> tuple[dict[str, str], dict[str, str]]:
    """Names by code, and codes by lower-case word."""
    names: dict[str, str] = {}
    codes = dict(_ALIASES) | _PHRASES
    for row in _TABLE.strip().replace("\n", " | ").split(" | "):
        code, *words = row.split()
        names[code] = words[0]
        codes |= {word.lower(): code for word in (code, *words)}
    codes |= {code: code for code in (*_MORE_CODES.split(), ALL, ORIGINAL)}
    return names, codes


_NAMES, _CODES = _read_table()


def normalize_language(word: str) -> str | None:
    """The code for a code or an English name, in any case: `German`, `deu` and `DE` are `de`.

    Codes may carry a script and a region (`zh-hans`, `pt_BR`). `all` and `orig` stay as they are.
    None when the word is not a language.
    """
    word = word.strip().replace("_", "-").lower()
    if word in _CODES:
        return _CODES[word]
    match = _CODE.fullmatch(word)
    if match is None or match["language"] not in _CODES or match["language"] == ALL:
        return None
    script, region = match["script"], match["region"]
    if script == ORIGINAL:  # yt-dlp's `en-orig` says where a track comes from; it is not a script
        return None
    parts = (_CODES[match["language"]], script and script.title(), region and region.upper())
    return "-".join(part for part in parts if part)


def language_name(code: str) -> str:
    """The English name to show for a code; the code itself when it has no name here."""
    if code == ORIGINAL:
        return "original language"
    if code == ALL:
        return "all languages"
    code = normalize_language(code) or code
    if code in _VARIANTS:
        return _VARIANTS[code]
    language, _, variant = code.partition("-")
    if language not in _NAMES:
        return code
    return f"{_NAMES[language]} ({variant})" if variant else _NAMES[language]
