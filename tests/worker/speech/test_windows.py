"""Sound in windows: nothing lost, nothing twice, cut in silence, and in constant memory."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.worker.speech.said import ffmpeg
from worker.speech.__main__ import main
from worker.speech.messages import Done, Message, Task
from worker.speech.model import Word
from worker.speech.sound import RATE, SEARCH, WINDOW, Samples, SoundBroken, decoded, quietest, windows

GROWTH = 12  # MB that an hour may take more than five minutes; a window of sound alone is 6
STUB = """
import json, resource, sys
from pathlib import Path
import numpy as np
from worker.speech.__main__ import main
from worker.speech.messages import Task
from worker.speech.model import Word

class Stub:
    # it takes what a model's features take, and hears a word every second
    language, device = "en", "cpu"
    def listen(self, samples):
        sound = samples.astype(np.float32) / 32768
        for second in range(len(sound) // 16000):
            yield [Word(second, second + 0.5, " word")]

main(Task.model_validate_json(sys.argv[1]), lambda message: None, lambda task, note: Stub())
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def noise(seconds: float, quiet: float | None = None) -> np.ndarray:
    """Noise with half a second of silence at `quiet`."""
    sound = np.random.default_rng(1).integers(-9000, 9000, int(seconds * RATE), dtype=np.int16)
    if quiet is not None:
        sound[int(quiet * RATE) : int((quiet + 0.5) * RATE)] = 0
    return sound


@pytest.mark.parametrize("seconds", [0, 0.5, 179.9, 180, 181, 450.25])
@pytest.mark.parametrize("skip", [0, 12345])
def test_windows_hold_every_sample_once(seconds: float, skip: int) -> None:
    sound = noise(seconds)
    found = list(windows(io.BytesIO(sound.tobytes()).read, skip))
    assert np.array_equal(np.concatenate([np.empty(0, np.int16), *(w.samples for w in found)]), sound[skip:])
    assert [w.start for w in found] == [*([skip] if found else []), *(w.end for w in found[:-1])]
    assert all(WINDOW - SEARCH <= len(w.samples) <= WINDOW for w in found[:-1])


def test_a_window_is_cut_where_nobody_speaks() -> None:
    first, second = windows(io.BytesIO(noise(250, quiet=165).tobytes()).read)
    assert 165 <= first.end / RATE <= 165.5 and second.start == first.end
    assert 4 <= quietest(noise(10, quiet=4)) / RATE <= 4.5


def test_an_odd_byte_at_the_end_is_no_sample() -> None:
    (window,) = windows(io.BytesIO(noise(1).tobytes() + b"x").read)
    assert len(window.samples) == RATE


def test_sound_that_begins_late_keeps_its_times(tmp_path: Path) -> None:
    """A video whose sound track starts after two seconds."""
    ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=64x64:rate=10:duration=5"),
        *("-itsoffset", "2", "-f", "lavfi", "-i", "sine=duration=3"),
        *("-c:v", "libx264", "-c:a", "aac", "late.mp4"),
        folder=tmp_path,
    )
    with decoded(tmp_path / "late.mp4") as sound:
        samples = np.frombuffer(sound.read(), np.int16)
    first = int(np.argmax(np.abs(samples) > 500)) / RATE
    assert first == pytest.approx(2, abs=0.1)
    assert len(samples) / RATE == pytest.approx(5, abs=0.2)


def test_a_file_that_is_no_sound_is_broken(tmp_path: Path) -> None:
    (tmp_path / "x.m4a").write_bytes(b"nothing" * 100)
    with pytest.raises(SoundBroken), decoded(tmp_path / "x.m4a") as sound:
        assert sound.read() == b""


def test_an_ffmpeg_that_was_killed_says_nothing_about_the_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\nkill -KILL $$\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ChildProcessError), decoded(tmp_path / "x.m4a") as sound:
        assert sound.read() == b""


@pytest.mark.slow
def test_an_hour_takes_no_more_memory_than_five_minutes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The whole process around a stub in the model's place; benchmarks/speech.py has the model itself."""
    peaks = {}
    for minutes in (5, 60):
        file = tmp_path / f"{minutes}.flac"
        ffmpeg("-f", "lavfi", "-i", f"sine=frequency=300:duration={minutes * 60}", file.name, folder=tmp_path)
        task = {"source": str(file), "journal": f"{file}.journal", "target": f"{file}.json3"}
        task |= {"model": "stub", "models": "", "device": "cpu", "threads": 1}
        command = [sys.executable, "-c", STUB, json.dumps(task)]
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
        peaks[minutes] = float(ran.stdout)
        assert Path(f"{file}.json3").read_text().count('" word"') >= minutes * 60 * 0.8
    with capsys.disabled():
        print(f"\npeak memory with a stub for the model: {peaks} MB")  # noqa: T201
    assert peaks[60] - peaks[5] < GROWTH


class Counting:
    """A stub for the model: it notes how much it listened to, and fails at a window if told to."""

    language: str | None = None
    device = "cuda"  # so that no limit is put on the memory of the tests

    def __init__(self, fails_at: int | None = None) -> None:
        self.heard: list[int] = []
        self._fails_at = fails_at

    def listen(self, samples: Samples) -> Iterator[list[Word]]:
        if len(self.heard) == self._fails_at:
            raise KeyboardInterrupt
        self.heard.append(len(samples))
        self.language = "en"
        yield [Word(1, 2, " window")]


@pytest.mark.slow
def test_a_recognition_that_was_stopped_goes_on_with_the_next_window(tmp_path: Path) -> None:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=500", "long.flac", folder=tmp_path)
    task = Task(
        source=str(tmp_path / "long.flac"),
        journal=str(tmp_path / "journal"),
        target=str(tmp_path / "t.json3"),
        model="stub",
        models="",
        device="cpu",
        threads=1,
    )
    first, second = Counting(fails_at=2), Counting()
    told: list[Message] = []
    with pytest.raises(KeyboardInterrupt):
        main(task, told.append, lambda *_: first)
    main(task, told.append, lambda *_: second)
    assert len(first.heard) == 2 and sum(first.heard + second.heard) == 500 * RATE
    assert told[-1] == Done(words=3, language="en")
    events = json.loads((tmp_path / "t.json3").read_text())["events"]
    starts = [event["tStartMs"] / 1000 - 1 for event in events]
    assert starts == pytest.approx([0, first.heard[0] / RATE, sum(first.heard) / RATE], abs=0.01)
