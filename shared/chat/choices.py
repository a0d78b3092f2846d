"""What a person can choose for a link: words on buttons, and the options they stand for. Pure."""

from dataclasses import dataclass

from shared.languages import ORIGINAL
from shared.options import MediaFormat, Options, Quality
from shared.results import Offers
from shared.words import size_words

AUDIO, TRANSCRIPT = "audio", "transcript"
WORDS = (*Quality, AUDIO, TRANSCRIPT)


@dataclass(frozen=True)
class Choice:
    """A button: `word` says what is chosen, `label` is for people."""

    word: str
    label: str


def choices(offers: Offers) -> tuple[Choice, ...]:
    """Buttons for what the link really offers, best first: each height that a quality leads to, the sound
    alone, the transcript alone. Where no height is known, nobody knows either whether there is a picture."""
    found = []
    seen = set()
    limits = [quality for quality in Quality if quality.max_height]
    for quality in (Quality.BEST, *limits):
        fitting = [offer for offer in offers.heights if offer.height <= (quality.max_height or offer.height)]
        best = max(fitting, key=lambda offer: offer.height, default=None)
        if best is not None and best.height not in seen:
            seen.add(best.height)
            size = f" · ~{size_words(best.size_bytes)}" if best.size_bytes else ""
            found.append(Choice(quality, f"{best.height}p{size}"))
    if not offers.heights:
        found.append(Choice(Quality.BEST, "Best quality"))
    if offers.has_audio:
        found.append(Choice(AUDIO, "Audio"))
    if offers.captions or offers.automatic_captions:
        found.append(Choice(TRANSCRIPT, "Transcript"))
    return tuple(found)


def options_of(word: str, languages: tuple[str, ...] = ()) -> Options:
    """What a choice asks for. Raises ValueError for a word that is none."""
    if word == TRANSCRIPT:
        return Options(media=False, languages=languages or (ORIGINAL,))
    if word == AUDIO:
        return Options(format=MediaFormat.M4A, languages=languages)
    return Options(quality=Quality(word), languages=languages)
