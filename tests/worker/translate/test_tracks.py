"""Which track is translated, what comes of it, and what is said when nothing does."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from shared.models import Stage
from shared.options import CaptionFormat, Clip, Options
from worker.child.protocol import CaptionFile, CaptionSource, Chapter, Media
from worker.transcripts import Means, Patience, Transcripts, make_transcripts
from worker.translate import Cache, Translation
from worker.translate.port import LanguagePairUnknown, Pairs, TranslatorUnavailable
from worker.translate.tracks import sources

VTT = (
    "WEBVTT\n\n00:01.000 --> 00:03.000\nThe ferry\n\n00:03.000 --> 00:06.000\nleaves at noon.\n\n"
    "00:07.000 --> 00:09.000\nFarewell!\n"
)
SRT = Options(media=False, languages=("en",), translate_to="es", caption_formats=(CaptionFormat.SRT,))


class Ours:
    """A translator of ours for tests."""

    name = "ours"

    def __init__(self, trouble: Exception | None = None, pause: float = 0) -> None:
        self.trouble = trouble
        self.pause = pause
        self.asked: list[str] = []

    async def languages(self) -> Pairs:
        return {"en": {"es", "de"}, "de": {"es"}}

    async def translate(self, sentences: Sequence[str], source: str, target: str) -> list[str]:
        await asyncio.sleep(self.pause)
        if self.trouble:
            raise self.trouble
        self.asked += sentences
        return [f"{source}-{target}: {sentence}" for sentence in sentences]


class Told:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self.fractions: list[float] = []

    async def enter(self, stage: Stage) -> None:
        self.stages.append(stage)

    def converted(self, fraction: float) -> None:
        self.fractions.append(fraction)


def track(
    folder: Path, language: str, source: CaptionSource = CaptionSource.MANUAL, text: str = VTT
) -> CaptionFile:
    path = folder / f"captions.{language}.{source}"
    path.write_text(text)
    return CaptionFile(path=str(path), language=language, source=source, format="vtt")


async def make(
    folder: Path,
    tracks: Sequence[CaptionFile],
    translator: Ours | None,
    options: Options = SRT,
    told: Told | None = None,
    seconds: float = 60,
) -> Transcripts:
    translation = Translation(translator, Cache(folder / "cache")) if translator else None
    means = Means(folder, Patience(30, seconds), translation, told or Told())
    found = Media(
        extractor="E", media_id="1", title="Ferry", language="en",
        chapters=(Chapter(start=0, end=6, title="Noon"),),
    )  # fmt: skip
    return await make_transcripts(tracks, found, options, means)


async def test_the_original_and_its_translation_are_delivered(tmp_path: Path) -> None:
    told = Told()
    made = await make(tmp_path, [track(tmp_path, "en")], Ours(), told=told)
    assert [(d.language, d.source, d.file_name) for d in made.drafts] == [
        ("en", "manual", "Ferry.en.srt"),
        ("es", "translated", "Ferry.es.srt"),
    ]
    assert made.drafts[1].path.read_text() == (
        "1\n00:00:01,000 --> 00:00:03,000\nen-es: The\n\n"
        "2\n00:00:03,000 --> 00:00:06,000\nferry leaves at noon.\n\n"
        "3\n00:00:07,000 --> 00:00:09,000\nen-es: Farewell!\n"
    )
    assert (made.note, made.is_whole) == (None, True)
    assert (told.stages, told.fractions) == ([Stage.TRANSLATE], [1.0])


async def test_every_format_asked_for_is_translated_with_the_chapters(tmp_path: Path) -> None:
    options = SRT.model_copy(update={"caption_formats": tuple(CaptionFormat)})
    made = await make(tmp_path, [track(tmp_path, "en")], Ours(), options)
    translated = {d.format: d.path.read_text() for d in made.drafts if d.source == "translated"}
    assert set(translated) == set(CaptionFormat)
    assert translated["txt"].startswith("== en-es: Noon ==\n\nen-es: The ferry leaves at noon.")


async def test_only_the_clip_is_translated(tmp_path: Path) -> None:
    translator = Ours()
    options = SRT.model_copy(update={"clip": Clip(start=6, end=10)})
    made = await make(tmp_path, [track(tmp_path, "en")], translator, options)
    assert translator.asked == ["Farewell!"]
    assert "00:00:01,000 --> 00:00:03,000" in made.drafts[1].path.read_text()


async def test_the_sites_own_translation_is_enough(tmp_path: Path) -> None:
    translator = Ours()
    tracks = [track(tmp_path, "en"), track(tmp_path, "es", CaptionSource.TRANSLATED)]
    made = await make(tmp_path, tracks, translator)
    assert ([d.language for d in made.drafts], translator.asked) == (["en", "es"], [])


async def test_a_translation_of_the_site_that_cannot_be_read_is_replaced(tmp_path: Path) -> None:
    tracks = [track(tmp_path, "en"), track(tmp_path, "es", CaptionSource.TRANSLATED, "<html>")]
    made = await make(tmp_path, tracks, Ours())
    assert [(d.language, d.source) for d in made.drafts] == [("en", "manual"), ("es", "translated")]


NO = "The translation to Spanish did not work; here is the original."


@pytest.mark.parametrize(
    "trouble", [TranslatorUnavailable("down"), LanguagePairUnknown("a technical matter"), OSError("disk")]
)
async def test_a_translator_in_trouble_gives_the_original_and_a_sentence(
    tmp_path: Path, trouble: Exception
) -> None:
    made = await make(tmp_path, [track(tmp_path, "en")], Ours(trouble))
    assert [d.language for d in made.drafts] == ["en"]
    assert (made.note, made.is_whole) == (NO, False)


@pytest.mark.slow
async def test_a_translator_gets_no_more_time_than_there_is(tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        made = await make(tmp_path, [track(tmp_path, "en")], Ours(pause=60), seconds=3)
    assert ([d.language for d in made.drafts], made.note) == (["en"], NO)


async def test_what_cannot_be_translated_here_is_said(tmp_path: Path) -> None:
    english, thai = [track(tmp_path, "en")], [track(tmp_path, "th")]
    swahili = SRT.model_copy(update={"translate_to": "sw"})
    thai_wanted = SRT.model_copy(update={"languages": ("th",)})
    made = await make(tmp_path, english, None)
    assert made.note == "There is no translator here, and the site gave no captions in Spanish."
    made = await make(tmp_path, english, Ours(), swahili)
    assert made.note == "I cannot translate English to Swahili, only to German and Spanish."
    made = await make(tmp_path, thai, Ours(), thai_wanted)
    assert made.note == "I cannot translate from Thai, only from English and German."
    assert made.is_whole


async def test_without_any_track_nothing_is_translated(tmp_path: Path) -> None:
    translator = Ours()
    made = await make(tmp_path, [], translator)
    assert (made.drafts, made.note) == ([], "There were no captions in English.")


async def test_a_track_whose_language_the_translator_lacks_leaves_it_to_another(tmp_path: Path) -> None:
    options = SRT.model_copy(update={"languages": ("th", "de")})
    made = await make(tmp_path, [track(tmp_path, "th"), track(tmp_path, "de")], Ours(), options)
    assert "de-es: The" in made.drafts[-1].path.read_text()


def test_people_before_machines_and_what_is_spoken_before_the_rest(tmp_path: Path) -> None:
    manual = [track(tmp_path, language) for language in ("de", "en", "und")]
    automatic = track(tmp_path, "en", CaptionSource.AUTOMATIC)
    translated = track(tmp_path, "fr", CaptionSource.TRANSLATED)
    everything = [translated, automatic, *manual]
    best = [manual[1], manual[0], automatic, translated]
    assert [t for _, t in sources(everything, None)] == [*manual[:2], automatic, translated]
    assert [t for _, t in sources(everything, "en-GB")] == [*best[:1], manual[2], *best[1:]]
    assert sources(manual[2:], "en")[0][0] == "en"
    assert sources(manual[2:], None) == []
