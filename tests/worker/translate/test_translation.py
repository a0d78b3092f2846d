"""A whole transcript through a translator: bounded, told, kept, cancelled."""

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.waiting import eventually
from worker.translate import Cache, Translation
from worker.translate.cache import key_of
from worker.translate.port import Pairs, TranslationError, TranslatorUnavailable
from worker.translate.translation import BATCH_CHARACTERS, BATCH_SENTENCES, MOST_CHARACTERS

LONG = [f"Sentence number {number} of a film that takes three hours." for number in range(3000)]
PAIR = ("en", "es")


class Counting:
    """A translator of ours that remembers what it was asked, and fails after so many batches."""

    name = "counting"

    def __init__(self, batches: int = 1_000_000) -> None:
        self.batches = batches
        self.asked: list[list[str]] = []
        self.pause = 0.0

    async def languages(self) -> Pairs:
        return {"en": {"es"}}

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        await asyncio.sleep(self.pause)
        if len(self.asked) >= self.batches:
            raise TranslatorUnavailable("out of batches")
        self.asked.append(list(sentences))
        return [f"{target}: {sentence}" for sentence in sentences]


async def test_a_long_transcript_goes_in_bounded_batches_and_tells_how_far_it_is(tmp_path: Path) -> None:
    translator, told = Counting(), list[float]()
    result = await Translation(translator, Cache(tmp_path)).translate(LONG, PAIR, told.append)
    assert result == {sentence: f"es: {sentence}" for sentence in LONG}
    assert max(map(len, translator.asked)) <= BATCH_SENTENCES
    assert max(sum(map(len, batch)) for batch in translator.asked) <= BATCH_CHARACTERS
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(told) > 50


async def test_what_is_said_twice_is_sent_once(tmp_path: Path) -> None:
    translator = Counting()
    await Translation(translator, Cache(tmp_path)).translate(["Row!", "Stop.", "Row!"], PAIR, lambda _: None)
    assert translator.asked == [["Row!", "Stop."]]


async def test_the_next_try_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    translator, cache = Counting(batches=10), Cache(tmp_path)
    with pytest.raises(TranslatorUnavailable):
        await Translation(translator, cache).translate(LONG, PAIR, lambda _: None)
    more = Counting()
    await Translation(more, cache).translate(LONG, PAIR, lambda _: None)
    assert more.asked[0][0] not in [sentence for batch in translator.asked for sentence in batch]
    assert len(translator.asked) + len(more.asked) == -(-len(LONG) // BATCH_SENTENCES)
    again = Counting()
    await Translation(again, cache).translate(LONG, PAIR, lambda _: None)
    assert again.asked == []


async def test_it_can_be_cancelled(tmp_path: Path) -> None:
    translator = Counting()
    translator.pause = 0.02
    task = asyncio.ensure_future(
        Translation(translator, Cache(tmp_path)).translate(LONG, PAIR, lambda _: None)
    )
    await eventually(lambda: len(translator.asked) >= 3)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert len(translator.asked) < len(LONG) / BATCH_SENTENCES, "and it goes no further"


async def test_more_text_than_anybody_should_pay_for_is_refused(tmp_path: Path) -> None:
    translator = Counting()
    with pytest.raises(TranslationError):
        await Translation(translator, Cache(tmp_path)).translate(["x" * MOST_CHARACTERS, "y"], PAIR, print)
    assert translator.asked == []


async def test_a_translator_that_gives_too_few_is_not_believed(tmp_path: Path) -> None:
    class Short(Counting):
        async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
            return ["only one"]

    with pytest.raises(TranslatorUnavailable):
        await Translation(Short(), Cache(tmp_path)).translate(LONG, PAIR, lambda _: None)
    assert list(tmp_path.iterdir()) == []


def test_the_key_names_all_that_decides_a_translation() -> None:
    first = key_of("a", "en", "es", ["x", "y"])
    others = [("b", "en", "es", ["x", "y"]), ("a", "es", "en", ["x", "y"]), ("a", "en", "es", ["xy"])]
    assert first not in [key_of(*other) for other in others]
    assert first == key_of("a", "en", "es", ("x", "y"))


def test_a_damaged_file_counts_as_none(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    cache.write("ab12", ["uno", "dos"])
    assert cache.read("ab12", 2) == ["uno", "dos"]
    assert cache.read("ab12", 3) is None
    for text in ("", "[1, 2]", "{}", '["uno"', "\xff"):
        (tmp_path / "ab" / "ab12.json").write_text(text, encoding="latin-1")
        assert cache.read("ab12", 2) is None


def test_a_cache_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "ab").write_text("a file where a folder should be")
    Cache(tmp_path).write("ab12", ["uno"])
    Cache(tmp_path).write("cd34", ["\ud800"])
    assert Cache(tmp_path).read("ab12", 1) is None
    assert list((tmp_path / "cd").iterdir()) == []


def test_the_old_and_the_too_many_are_swept(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    for number in range(10):
        cache.write(f"{number}0", ["x" * 96])  # 100 bytes
        path = tmp_path / f"{number}0" / f"{number}0.json"
        os.utime(path, (time.time() - number * 100,) * 2)
    assert cache.sweep(max_age=550, most=350) == 7
    assert [cache.read(f"{number}0", 1) is not None for number in range(10)] == [True] * 3 + [False] * 7
    assert cache.sweep(max_age=550, most=350) == 0
    assert Cache(tmp_path / "none").sweep(1) == 0
