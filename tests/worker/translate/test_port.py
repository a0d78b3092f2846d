"""What every translator does, whoever it is."""

import asyncio

import pytest

from worker.translate.languages import matching
from worker.translate.port import LanguagePairUnknown, Translator

NUMBERED = [f"The ferry number {number} leaves at noon." for number in range(300)]


async def codes(translator: Translator) -> tuple[str, str]:
    return matching(await translator.languages(), "en", "es")


async def test_its_languages_are_ones_we_know(translator: Translator) -> None:
    source, target = await codes(translator)
    assert target in (await translator.languages())[source]


async def test_each_sentence_gets_its_own_translation_in_order(translator: Translator) -> None:
    pair = await codes(translator)
    translated = await translator.translate(NUMBERED, *pair)
    assert len(translated) == len(NUMBERED)
    assert [str(number) in text for number, text in enumerate(translated)] == [True] * len(NUMBERED)
    assert all(text == text.strip() and "\n" not in text for text in translated)
    assert translated[0] != NUMBERED[0]


@pytest.mark.slow
async def test_sentences_without_a_full_stop_stay_apart(translator: Translator) -> None:
    sentences = [
        "the old",
        "dog is red",
        "the big",
        "house",
        "Hello there, we",
        "are late",
        "♪",
        "100 % {x} [y] ^z$",
    ]
    pair = await codes(translator)
    together = await translator.translate(sentences, *pair)
    alone = [(await translator.translate([sentence], *pair))[0] for sentence in sentences]
    assert [text.lower() for text in together] == [text.lower() for text in alone]


async def test_nothing_is_translated_to_nothing(translator: Translator) -> None:
    assert await translator.translate([], *await codes(translator)) == []


async def test_an_unknown_pair_is_said_to_be_one(translator: Translator) -> None:
    source, _ = await codes(translator)
    with pytest.raises(LanguagePairUnknown):
        await translator.translate(["Hello."], source, "tlh")


async def test_it_ends_when_it_is_cancelled(translator: Translator) -> None:
    pair = await codes(translator)
    task = asyncio.ensure_future(translator.translate(NUMBERED * 20, *pair))
    await asyncio.sleep(0.05)
    task.cancel()
    async with asyncio.timeout(60):
        await asyncio.wait([task])
    assert task.done()
