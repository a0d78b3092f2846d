"""`python -m scripts.picture`: draw docs/journey.png, the README's picture, from a recording.

The real service and the real command run as in the demo, `linkferry get` in a terminal of its own. What it
writes there is recorded, and a few moments of it are drawn as they were. Needs Debian's librsvg2-bin and
fonts-firacode, after `make demo` has set up the rest.
"""

import fcntl
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import termios
import time
from io import StringIO
from subprocess import PIPE

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from scripts.demo import GET_SECONDS, HOME, LINKFERRY, ROOT, background, free_ports

PICTURE = ROOT / "docs" / "journey.png"
WIDTH = 1000  # pixels
COLUMNS = 100
COLORS = 64
FILM = "/watch/sample?media=/fault/trickle/media/sample.mp4?rate=150000"  # bytes a second
MOMENTS = (r"Looking", r"Downloading .* [2-4]\d%", r"Downloading .* [6-9]\d%")  # the first frame like each
TITLE = "one status line, edited in place: three moments and the end"
ERASE = "\x1b[2K"

DIM, RED, GREEN, YELLOW = (110, 118, 129), (255, 123, 114), (63, 185, 80), (210, 153, 34)
BLUE, MAGENTA, CYAN, WHITE = (88, 166, 255), (188, 140, 255), (86, 212, 221), (177, 186, 196)
DARK = TerminalTheme((13, 17, 23), (210, 217, 225), [DIM, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE])

Frame = tuple[float, str]  # seconds since the start, and what was written then


def main() -> int:
    """Record, draw, and say where the picture is."""
    shutil.rmtree(HOME, ignore_errors=True)
    HOME.mkdir(parents=True)
    site_port, port = free_ports(2)
    link = f"http://127.0.0.1:{site_port}{FILM}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LINKFERRY_")}
    environment = kept | {
        "LINKFERRY_DATA_DIR": str(HOME / "data"),
        "LINKFERRY_ALLOWED_ADDRESSES": f"127.0.0.1:{site_port}",
        "LINKFERRY_PORT": str(port),
        "TERM": "xterm-256color",
    }
    health = f"http://127.0.0.1:{port}/health/live"
    with (
        background("media site", [sys.executable, "-m", "tests.site", "--port", str(site_port)], link),
        background("linkferry up", [LINKFERRY, "up"], health, environment),
    ):
        frames = record([LINKFERRY, "get", "--subs", "en", link], environment)
    typed = f"[black]$[/] [bold]linkferry get --subs en \\\n    [/]'{link}'\n"
    write_png(draw(typed, frames))
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:.0f} kB")
    return 0


def record(command: list[str], environment: dict[str, str]) -> list[Frame]:
    """Run a command in a terminal of its own; returns everything it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    process = subprocess.Popen(
        command, env=environment, cwd=HOME, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    started = time.monotonic()
    frames: list[Frame] = []
    while chunk := read(ours):
        frames.append((time.monotonic() - started, chunk.decode()))
    os.close(ours)
    if code := process.wait(GET_SECONDS):
        raise SystemExit(f"linkferry get ended with {code}: {frames}")
    return frames


def read(terminal: int) -> bytes:
    """What comes next from a terminal; nothing when its program has ended."""
    try:
        return os.read(terminal, 65536)
    except OSError:  # how Linux says that nobody holds the other side any more
        return b""


def draw(typed: str, frames: list[Frame]) -> str:
    """The moments below each other, each with its second on the right, as an SVG."""
    console = Console(
        record=True, width=COLUMNS, file=StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print(typed, highlight=False)
    result = "".join(text for _, text in frames).replace("\r\n", "\n").rpartition(ERASE)[2]
    for moment in MOMENTS:
        seconds, text = next(
            frame for frame in frames if re.search(moment, frame[1]) and "\n" not in frame[1]
        )
        line = Text.from_ansi(text.rpartition(ERASE)[2])
        line.truncate(COLUMNS - 6, pad=True)
        console.print(line.append(f"{seconds:4.1f} s", "black"), highlight=False)
    console.print()
    for line in Text.from_ansi(result).split():
        console.print(line, no_wrap=True, overflow="ellipsis", highlight=False)
    return console.export_svg(title=TITLE, theme=DARK)


def write_png(svg: str) -> None:
    """The picture at its width, in as few colours as it needs."""
    # librsvg takes leading spaces away, and knows no textLength: a letter of Fira Code is 12.308 wide,
    # a column of rich's 12.2.
    svg = svg.replace("<svg ", '<svg xml:space="preserve" ', 1)
    font = "font-family: Fira Code"
    svg = svg.replace(f"{font}, monospace;", f"{font}; letter-spacing: -0.108px;")
    drawn = subprocess.run(
        ["rsvg-convert", "--width", str(WIDTH)], input=svg.encode(), stdout=PIPE, check=True
    )
    palette = f"split[a][b];[a]palettegen=max_colors={COLORS}[p];[b][p]paletteuse=dither=none"
    command = ["ffmpeg", "-v", "error", "-y", "-i", "-", "-vf", palette, "-frames:v", "1", str(PICTURE)]
    PICTURE.parent.mkdir(exist_ok=True)
    subprocess.run(command, input=drawn.stdout, check=True)


if __name__ == "__main__":
    sys.exit(main())
