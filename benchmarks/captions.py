"""How long 40 000 automatic cues take to become SRT, VTT and TXT, against ffmpeg writing one SRT.

    python -m benchmarks.captions [rounds]

Both are whole processes started cold, in turn. Ours reads the file, repairs the rolling and writes all
three; ffmpeg converts once and repairs nothing. The aim is a ratio of at most 1.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CUES = 40_000
AIM = 1  # times as long as ffmpeg
WORDS = ("the", "of", "and", "to", "that", "they", "what", "people", "through", "question", "government")


def stamp(moment: int) -> str:
    """A WebVTT time."""
    seconds, fraction = divmod(moment, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{fraction:03}"


def automatic_vtt(cues: int = CUES) -> str:
    """A file as YouTube writes it: every second cue lasts 10 ms, and each line stands in three of them."""
    blocks = ["WEBVTT\nKind: captions\nLanguage: en\n"]
    state, now, old = 7, 160, " "
    settings = "align:start position:0%"
    for _ in range(cues // 2):
        chosen = []
        for _ in range(7):
            state = (state * 1103515245 + 12345) % 2**31
            chosen.append(WORDS[(state >> 16) % len(WORDS)])
        timed = chosen[0] + "".join(
            f"<{stamp(now + 240 * place)}><c> {word}</c>" for place, word in enumerate(chosen[1:], 1)
        )
        line, end = " ".join(chosen), now + 1990
        blocks.append(f"{stamp(now)} --> {stamp(end)} {settings}\n{old}\n{timed}\n")
        blocks.append(f"{stamp(end)} --> {stamp(end + 10)} {settings}\n{line}\n \n")
        now, old = end + 10, line
    return "\n".join(blocks)


def ours(source: Path, folder: Path) -> None:
    """What the measured process does."""
    from worker.captions import convert

    texts = convert(source.read_bytes(), "vtt", automatic=True, formats=("srt", "vtt", "txt"))
    for name, text in texts.items():
        (folder / f"ours.{name}").write_text(text, encoding="utf-8")


def measure(command: list[str]) -> tuple[float, float]:
    """Seconds and peak memory in MB of one process."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"failed: {' '.join(command)}")
    return time.perf_counter() - started, usage.ru_maxrss / 1024


def main(rounds: int) -> int:
    """Print one line for each side and the ratio of their medians; 0 when the aim is met."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "in.vtt"
        source.write_text(automatic_vtt(), encoding="utf-8")
        print(
            f"{CUES} automatic cues, {source.stat().st_size / 1e6:.1f} MB, {rounds} rounds, whole processes"
        )
        mine = [sys.executable, "-m", "benchmarks.captions", "--ours", str(source), str(folder)]
        theirs = ["ffmpeg", "-v", "error", "-y", "-i", str(source), str(folder / "theirs.srt")]
        measure(mine)  # writes the byte code; ffmpeg has nothing to warm but the page cache
        results = [(measure(mine), measure(theirs)) for _ in range(rounds)]
        times = [statistics.median(pair[side][0] for pair in results) for side in (0, 1)]
        peaks = [max(pair[side][1] for pair in results) for side in (0, 1)]
        print(f"linkferry  SRT + VTT + TXT, repaired  {times[0]:.3f} s  {peaks[0]:.0f} MB")
        print(f"ffmpeg     SRT                        {times[1]:.3f} s  {peaks[1]:.0f} MB")
        ratio = times[0] / times[1]
        print(f"ratio {ratio:.2f} (aim: at most {AIM})")
        return 0 if ratio <= AIM else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--ours"]:
        ours(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 5))
