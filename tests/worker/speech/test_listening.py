"""The real model on real speech, in its own process."""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil
import pytest

from shared.errors import Code, JobError
from shared.options import Clip
from shared.settings import Settings
from tests.waiting import eventually
from tests.worker.speech.processes import is_listener, listeners
from tests.worker.speech.said import TEXT, ffmpeg, word_error_rate, words_of
from worker.captions.cues import Cue
from worker.captions.readers import read
from worker.child.protocol import CaptionFile, Media, StreamFile
from worker.media import inspect
from worker.speech import FAILED, NO_SOUND, Speech, listen
from worker.speech.listen import ENGLISH_ONLY, NO_MODEL

Make = Callable[..., Settings]
WORST = 0.08  # of the words; measured 0.013: two of 150
MEDIA = Media(extractor="E", media_id="1", title="t")


async def hear(
    speech: Speech, source: Path, folder: Path, clip: Clip | None = None, found: Media = MEDIA
) -> tuple[CaptionFile | None, list[float]]:
    """Listen to one file; also every fraction that was reported."""
    folder.mkdir(exist_ok=True)
    fractions: list[float] = []
    file = StreamFile(path=str(source), kind="audio", size=source.stat().st_size)
    return await speech.hear(found, [file], folder, clip, fractions.append), fractions


def cues_of(track: CaptionFile) -> list[Cue]:
    result = read(Path(track.path).read_bytes(), track.format)
    assert not result.skipped
    return result.cues


@pytest.mark.slow
async def test_speech_is_heard_with_a_time_for_every_word(
    settings: Make, recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    track, fractions = await hear(Speech(settings()), recording, tmp_path / "job")
    assert track is not None
    assert (track.language, track.source, track.format) == ("en", "speech", "json3")
    cues = cues_of(track)
    rate = word_error_rate(TEXT, " ".join(cue.text for cue in cues))
    with capsys.disabled():
        print(f"\nword error rate {rate:.3f} of {len(words_of(TEXT))} words (at most {WORST})")  # noqa: T201
    assert rate <= WORST
    length = (await inspect(recording)).duration or 0
    starts = [word.start for cue in cues for word in cue.words]
    assert len(starts) == sum(len(cue.words) for cue in cues) > 100
    assert starts == sorted(starts)
    assert starts[0] >= 0 and max(cue.end for cue in cues) <= length * 1000 + 50
    assert all(cue.end - cue.start <= 6_500 and len(cue.text) <= 84 for cue in cues)
    assert (
        fractions == sorted(fractions) and len(fractions) > 3 and fractions[-1] == pytest.approx(1, abs=0.01)
    )


@pytest.mark.slow
async def test_a_clip_is_heard_alone_with_the_times_of_the_whole(
    settings: Make, recording: Path, tmp_path: Path
) -> None:
    track, _ = await hear(Speech(settings()), recording, tmp_path / "job", Clip(start=10, end=20))
    assert track is not None
    cues = cues_of(track)
    assert cues[0].start >= 9_900 and cues[-1].end <= 20_050
    heard = words_of(" ".join(cue.text for cue in cues))
    assert 10 < len(heard) < 45 and len(set(heard) - set(words_of(TEXT))) <= 3


@pytest.mark.slow
async def test_what_was_heard_before_a_stop_is_not_heard_again(
    settings: Make, sentence: Path, tmp_path: Path
) -> None:
    """A journal that says that everything was heard: the model has nothing left to do."""
    first, _ = await hear(Speech(settings()), sentence, tmp_path / "job")
    assert first is not None
    journal = tmp_path / "job" / "speech.journal"
    journal.write_text(journal.read_text().replace("ferry", "balloon"))
    again, _ = await hear(Speech(settings()), sentence, tmp_path / "job")
    assert again is not None and cues_of(again)[0].text == "The balloon leaves at noon."


@pytest.mark.slow
async def test_silence_has_no_words(settings: Make, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "anullsrc", "-t", "20", "quiet.m4a", folder=tmp_path)
    track, fractions = await hear(Speech(settings()), tmp_path / "quiet.m4a", tmp_path / "job")
    assert track is None and fractions


async def test_a_video_without_sound_is_told_from_silence(settings: Make, tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x64", "-t", "1", "mute.mp4", folder=tmp_path)
    with pytest.raises(JobError) as caught:
        await hear(Speech(settings()), tmp_path / "mute.mp4", tmp_path / "job")
    assert (caught.value.code, caught.value.sentence) == (Code.NO_CAPTIONS, NO_SOUND)


@pytest.mark.parametrize("content", [b"", b"no sound at all" * 100])
async def test_a_broken_file_gets_a_sentence(settings: Make, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "broken.m4a").write_bytes(content)
    with pytest.raises(JobError) as caught:
        await hear(Speech(settings()), tmp_path / "broken.m4a", tmp_path / "job")
    assert caught.value.code is Code.BROKEN_FILE and caught.value.sentence


@pytest.mark.parametrize("model", ["./no/such/folder", "tiny", "no-such-name"])
async def test_a_missing_model_gets_a_sentence_and_nothing_is_fetched_in_tests(
    settings: Make, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    speech = Speech(settings(speech_model=model))
    if model.startswith("."):
        assert speech.obstacle == NO_MODEL
        return
    with pytest.raises(JobError) as caught:
        await hear(speech, recording, tmp_path / "job")
    assert (caught.value.code, caught.value.sentence) == (Code.NO_CAPTIONS, NO_MODEL)
    assert not listeners()


async def test_an_english_model_does_not_invent_english_for_other_languages(
    settings: Make, recording: Path, tmp_path: Path
) -> None:
    french = MEDIA.model_copy(update={"language": "fr-CA"})
    with pytest.raises(JobError) as caught:
        await hear(Speech(settings()), recording, tmp_path / "job", found=french)
    assert caught.value.sentence == ENGLISH_ONLY


@pytest.mark.slow
async def test_without_a_graphics_card_the_processor_listens(
    settings: Make, sentence: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        track, _ = await hear(Speech(settings(speech_device="cuda")), sentence, tmp_path / "job")
    assert track is not None and "ferry" in cues_of(track)[0].text
    assert "on the processor" in caplog.text


async def test_a_graphics_card_that_takes_the_process_down_is_left_out(
    settings: Make, sentence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stub in the process's place: there is no graphics card here to fail."""
    devices: list[str] = []

    async def run(_: str, args: Sequence[str], feed: Callable[[bytes], None], __: object) -> None:
        devices.append(json.loads(Path(args[-1]).read_text())["device"])
        if devices[-1] != "cpu":
            feed(b'{"type": "loaded", "device": "cuda"}\n')
            raise JobError(Code.BROKEN_FILE, "python: CUDA error: an illegal memory access")
        feed(b'{"type": "done", "words": 1, "language": "en"}\n')

    monkeypatch.setattr(listen, "run", run)
    track, _ = await hear(Speech(settings()), sentence, tmp_path / "job")
    assert track is not None and devices == ["auto", "cpu"]


@pytest.mark.parametrize("said", [b"hello\n", b"x" * 70_000, b'{"type": "heard"}\n'])
async def test_an_answer_that_is_none_is_a_failure_with_a_sentence(
    settings: Make, sentence: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    async def run(_: str, __: object, feed: Callable[[bytes], None], ___: object) -> None:
        feed(said)

    monkeypatch.setattr(listen, "run", run)
    with pytest.raises(JobError) as caught:
        await hear(Speech(settings(speech_device="cpu")), sentence, tmp_path / "job")
    assert (caught.value.code, caught.value.sentence) == (Code.INTERNAL, FAILED)


@pytest.mark.slow
async def test_cancelling_ends_every_process(settings: Make, recording: Path, tmp_path: Path) -> None:
    ffmpeg("-stream_loop", "20", "-i", str(recording), "-c", "copy", "long.m4a", folder=tmp_path)
    task = asyncio.create_task(hear(Speech(settings()), tmp_path / "long.m4a", tmp_path / "job"))
    await eventually(lambda: "ffmpeg" in listeners())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await eventually(lambda: not listeners())
    assert not (tmp_path / "job" / "speech.task.json").exists()


@pytest.mark.slow
async def test_what_takes_too_long_is_ended_with_a_sentence(
    settings: Make, recording: Path, tmp_path: Path
) -> None:
    ffmpeg("-stream_loop", "20", "-i", str(recording), "-c", "copy", "long.m4a", folder=tmp_path)
    with pytest.raises(JobError) as caught:
        await hear(Speech(settings(speech_timeout=2)), tmp_path / "long.m4a", tmp_path / "job")
    assert caught.value.code is Code.TIMED_OUT and "2 s" in caught.value.sentence
    await eventually(lambda: not listeners())


@pytest.mark.slow
async def test_a_process_that_dies_gets_a_sentence(settings: Make, recording: Path, tmp_path: Path) -> None:
    ffmpeg("-stream_loop", "20", "-i", str(recording), "-c", "copy", "long.m4a", folder=tmp_path)
    task = asyncio.create_task(hear(Speech(settings()), tmp_path / "long.m4a", tmp_path / "job"))
    await eventually(lambda: "ffmpeg" in listeners())
    for process in psutil.Process().children():
        if is_listener(process):
            process.kill()
    with pytest.raises(JobError) as caught:
        await task
    assert caught.value.code is Code.INTERNAL


@pytest.mark.slow
async def test_no_more_listen_at_once_than_the_settings_say(
    settings: Make, sentence: Path, tmp_path: Path
) -> None:
    speech = Speech(settings(speech_concurrency=1))
    most = 0
    tasks = [asyncio.create_task(hear(speech, sentence, tmp_path / f"job{n}")) for n in range(3)]
    while not all(task.done() for task in tasks):
        most = max(most, sum(map(is_listener, psutil.Process().children())))
        await asyncio.sleep(0.02)
    assert [task.result()[0] is not None for task in tasks] == [True] * 3
    assert most == 1


@pytest.mark.slow
def test_the_worker_needs_nothing_of_the_extra() -> None:
    """An installation without it must start; only the process imports what it brings."""
    code = (
        "import sys, worker.attempt; "
        "sys.exit(any(name in sys.modules for name in ('numpy', 'faster_whisper', 'ctranslate2')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
