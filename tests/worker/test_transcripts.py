"""What a person is told about captions, and conversions that cost nobody else anything."""

import asyncio
import json
from pathlib import Path

import pytest

from benchmarks.captions import automatic_vtt
from shared.errors import Code, JobError
from shared.ids import new_id
from shared.models import Artifact, ArtifactKind, Stage
from shared.options import CaptionFormat, Clip, Options
from worker.artifacts import content_type
from worker.captions import apart, convert
from worker.captions.apart import convert_apart
from worker.child.protocol import CaptionFile, CaptionSource, Chapter, Media
from worker.speech.listen import NOBODY
from worker.transcripts import (
    ELSEWHERE,
    HIDDEN,
    NONE,
    WITHHELD,
    Means,
    Patience,
    convert_tracks,
    missing_note,
    no_captions,
    passage_rows,
    wanted_languages,
)

VTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\nAhoy\n\n00:05.000 --> 00:06.000\nFarewell\n"


def track(language: str, path: Path = Path("x"), form: str = "vtt") -> CaptionFile:
    return CaptionFile(path=str(path), language=language, source=CaptionSource.MANUAL, format=form)


def media(**more: object) -> Media:
    """A video in which nobody wrote or heard a word, but for what `more` says."""
    about = {"extractor": "x", "media_id": "x", "title": "x"}
    return Media.model_validate(about | more)


class Told:
    """Nobody who listens."""

    async def enter(self, stage: Stage) -> None: ...

    def converted(self, fraction: float) -> None: ...


def means_in(folder: Path, patience: Patience, watch_url: str | None = None) -> Means:
    """No translator, and so much time."""
    return Means(folder, patience, None, Told(), watch_url)


@pytest.mark.parametrize(
    ("wanted", "to", "had", "note"),
    [
        (("en",), None, ("en",), None),
        (("en-US",), None, ("en",), None),
        (("all",), None, ("en", "de"), None),
        (("orig",), None, (), "There were no captions."),
        (("de",), None, (), "There were no captions in German."),
        (("en", "de", "th"), None, ("en",), "There were no captions in German or Thai."),
        (("en",), "es", ("en", "es"), None),
    ],
)
def test_what_is_missing_is_said(
    wanted: tuple[str, ...], to: str | None, had: tuple[str, ...], note: str | None
) -> None:
    options = Options(languages=wanted, translate_to=to)
    assert missing_note(options, [track(language) for language in had], []) == note


def test_captions_that_were_withheld_or_unreadable_are_told_apart_from_none() -> None:
    options = Options(languages=("en", "de"))
    assert missing_note(options, None, []) == WITHHELD
    both = [track("en"), track("de")]
    assert missing_note(options, both, both[1:]) == "The captions in German could not be read."


def test_captions_that_the_site_hides_from_programs_are_told_apart_from_none() -> None:
    options = Options(languages=("en", "de"))
    assert missing_note(options, [track("en"), track("de")], [], is_hidden=True) is None
    assert missing_note(options, [track("en")], [], is_hidden=True) == HIDDEN
    error = no_captions(Options(languages=("orig",), media=False), None, media(hides_captions=True))
    assert (error.code, error.message) == (Code.NO_CAPTIONS, f"{HIDDEN} {ELSEWHERE}")


@pytest.mark.parametrize("languages", [("all",), ("orig",), ("de",)])
def test_another_language_is_proposed_only_where_there_is_one(languages: tuple[str, ...]) -> None:
    options = Options(languages=languages, media=False)
    assert no_captions(options, None, media()).message == f"{NONE} {ELSEWHERE}"
    assert no_captions(options, NOBODY, media()).message == f"{NONE} {NOBODY} {ELSEWHERE}"
    assert no_captions(options, None, media(automatic_captions=("en",))).message.endswith("or 'all'.")
    heard = options.model_copy(update={"speech": True})
    assert no_captions(heard, NOBODY, media()).message == f"{NOBODY} {ELSEWHERE}"


def test_the_language_to_translate_to_is_asked_of_the_site() -> None:
    assert wanted_languages(Options(languages=("en",), translate_to="es")) == ("en", "es")
    assert wanted_languages(Options(languages=("en",), translate_to="en")) == ("en",)
    assert wanted_languages(Options()) == ()


def test_why_nothing_was_translated_is_said_between_what_is_missing_and_what_is_unreadable() -> None:
    options, tracks = Options(languages=("en", "th"), translate_to="es"), [track("en"), track("de")]
    assert missing_note(options, tracks, tracks[1:], "No translator.") == (
        "There were no captions in Thai. No translator. The captions in German could not be read."
    )


async def test_a_conversion_apart_gives_what_one_here_gives(tmp_path: Path) -> None:
    source = tmp_path / "captions.0.vtt"
    source.write_bytes(VTT)
    clip, chapters = Clip(start=0.5, end=6), [Chapter(start=0, end=9, title="Arrival")]
    targets = {form.value: tmp_path / f"out.{form}" for form in CaptionFormat}
    await convert_apart(source, "vtt", targets, automatic=False, chapters=chapters, clip=clip, patience=30)
    here = convert(
        VTT,
        "vtt",
        automatic=False,
        formats=[form.value for form in CaptionFormat],
        chapters=chapters,
        clip=clip,
    )
    assert {form: path.read_text() for form, path in targets.items()} == here
    assert "Arrival" in here["txt"]


@pytest.mark.slow
@pytest.mark.parametrize("limit", ["memory", "time"])
async def test_a_file_that_takes_too_much_ends_only_its_own_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str
) -> None:
    source = tmp_path / "captions.0.vtt"
    source.write_text(automatic_vtt(60_000))
    patience = 60.0
    if limit == "memory":
        monkeypatch.setattr(apart, "MEMORY", 40 * 1024 * 1024)
    else:
        patience = 0.3
    with pytest.raises(JobError) as caught:
        await convert_apart(source, "vtt", {"srt": tmp_path / "o.srt"}, automatic=True, patience=patience)
    assert caught.value.code is (Code.BROKEN_FILE if limit == "memory" else Code.STALLED)
    assert list(tmp_path.iterdir()) == [source]


async def test_a_track_that_cannot_be_read_does_not_spoil_the_others(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(VTT)
    (tmp_path / "bad").write_bytes(b"<html>Please log in</html>")
    tracks = [track("de/../../x", tmp_path / "bad"), track("en", tmp_path / "good")]
    found = Media(extractor="E", media_id="1", title="t")
    options, means = Options(languages=("all",)), means_in(tmp_path, Patience(30, 60))
    drafts, unreadable = await convert_tracks(tracks, found, options, means)
    assert [draft.language for draft in drafts] == ["en"] * 3
    assert unreadable == tracks[:1]
    assert {draft.path.parent for draft in drafts} == {tmp_path}


@pytest.mark.parametrize(("timestamps", "first"), [(False, "Ahoy"), (True, "[0:01] Ahoy")])
async def test_plain_text_has_times_where_they_are_asked_for(
    tmp_path: Path, timestamps: bool, first: str
) -> None:
    (tmp_path / "track").write_bytes(VTT)
    found = Media(extractor="E", media_id="1", title="t")
    options = Options(languages=("en",), caption_formats=(CaptionFormat.TXT,), timestamps=timestamps)
    means = means_in(tmp_path, Patience(30, 60))
    ((draft,), _) = await convert_tracks([track("en", tmp_path / "track")], found, options, means)
    assert draft.path.read_text().splitlines()[0] == first and draft.passages


async def test_markdown_leads_to_the_watch_page_and_json_has_everything(tmp_path: Path) -> None:
    (tmp_path / "track").write_bytes(VTT)
    found = Media(extractor="E", media_id="1", title="t")
    options = Options(languages=("en",), caption_formats=(CaptionFormat.MD, CaptionFormat.JSON))
    means = means_in(tmp_path, Patience(30, 60), "https://ferry.example/w/token")
    drafts, _ = await convert_tracks([track("en", tmp_path / "track")], found, options, means)
    assert [(draft.kind, content_type(draft)) for draft in drafts] == [
        (ArtifactKind.TRANSCRIPT, "text/markdown; charset=utf-8"),
        (ArtifactKind.TRANSCRIPT, "application/json"),
    ]
    markdown, data = (draft.path.read_text() for draft in drafts)
    page = "https://ferry.example/w/token?language=en"
    assert markdown == f"[0:01]({page}#t=1) Ahoy\n\n[0:05]({page}#t=5) Farewell\n"
    assert [cue["start"] for cue in json.loads(data)["cues"]] == [1, 5]
    assert json.loads(data)["language"] == "en"


async def test_what_is_searched_in_is_kept_once_for_each_track(tmp_path: Path) -> None:
    (tmp_path / "track").write_bytes(VTT)
    found = Media(extractor="E", media_id="1", title="t")
    options, means = Options(languages=("en",)), means_in(tmp_path, Patience(30, 60))
    drafts, _ = await convert_tracks([track("en", tmp_path / "track")], found, options, means)
    files = [Artifact(id=new_id()) for _ in drafts]
    (row,) = await passage_rows(drafts, files, is_sqlite=True)
    assert row["artifact_id"] == files[0].id and row["words"] == "ahoy farewell"
    assert row["cues"] == ((1.0, "Ahoy"), (5.0, "Farewell"))


@pytest.mark.slow
async def test_tracks_made_to_take_long_do_not_take_all_the_time(tmp_path: Path) -> None:
    long = automatic_vtt(60_000)
    for number in range(3):
        (tmp_path / str(number)).write_text(long)
    tracks = [track(f"x{number}", tmp_path / str(number)) for number in range(3)]
    found = Media(extractor="E", media_id="1", title="t")
    async with asyncio.timeout(120):
        means = means_in(tmp_path, Patience(each=30, together=0.5))
        result = await convert_tracks(tracks, found, Options(), means)
    assert result == ([], tracks)
