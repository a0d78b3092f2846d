"""Buttons for what a link offers, and what they stand for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.chat.choices import WORDS, choices, options_of
from shared.options import MediaFormat, Options, Quality
from shared.results import Height, Offers


def offers(
    *heights: int, audio: bool = True, captions: tuple[str, ...] = (), size: int | None = None
) -> Offers:
    """A link with films of these heights."""
    found = tuple(Height(height=height, size_bytes=size) for height in heights)
    return Offers(heights=found, has_audio=audio, captions=captions, automatic_captions=())


@pytest.mark.parametrize(
    ("offered", "buttons"),
    [
        (offers(1080, 720, 360), {"best": "1080p", "720p": "720p", "480p": "360p", "audio": "Audio"}),
        (offers(4320, 240, audio=False), {"best": "4320p", "2160p": "240p"}),
        (offers(360, size=1_500_000), {"best": "360p · ~1.5 MB", "audio": "Audio"}),
        (offers(audio=False), {"best": "Best quality"}),
        (offers(), {"best": "Best quality", "audio": "Audio"}),
        (offers(audio=False, captions=("en",)), {"best": "Best quality", "transcript": "Transcript"}),
    ],
)
def test_there_is_a_button_for_each_thing_there_is(offered: Offers, buttons: dict[str, str]) -> None:
    assert {choice.word: choice.label for choice in choices(offered)} == buttons


@given(st.lists(st.integers(1, 9000), unique=True), st.booleans())
def test_every_button_leads_to_another_height_the_best_one_first(heights: list[int], audio: bool) -> None:
    offered = choices(offers(*heights, audio=audio))
    words = [choice.word for choice in offered]
    shown = [int(choice.label[:-1]) for choice in offered if choice.label.endswith("p")]
    assert set(words) <= set(WORDS)
    assert len(words) == len(set(words)) > 0
    assert shown == sorted(set(shown), reverse=True)
    assert set(shown) <= set(heights)
    assert shown[:1] == sorted(heights)[-1:]


def test_what_a_button_stands_for() -> None:
    assert options_of("720p", ("en",)) == Options(quality=Quality.P720, languages=("en",))
    assert options_of("audio") == Options(format=MediaFormat.M4A)
    assert options_of("transcript", ("de",)) == Options(media=False, languages=("de",))
    assert options_of("transcript") == Options(media=False, languages=("orig",))
    with pytest.raises(ValueError, match="everything"):
        options_of("everything")
