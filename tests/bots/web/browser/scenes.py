"""What the browser is shown: a film of two minutes, and what is said in it, in several scripts."""

import subprocess
from pathlib import Path
from typing import Any

from tests.bots.web.watching import File, spoken

SECONDS = 120

ENGLISH = [
    "Good morning, and welcome aboard the ferry to the northern islands.",
    "My name is Ada, and I will be your guide until we reach the harbour.",
    "Please keep the stairs free, and hold on to your hats.",
    "The crossing takes two hours when the sea is calm.",
    "Today, as you can hear, it is not calm at all.",
    "On the left you see the old lighthouse, built in eighteen twelve.",
    "Its keeper lived there alone for thirty years with a café's worth of coffee.",
    "He wrote a diary, and every page of it begins with the weather.",
    "Fog, rain, fog, a little sun, and then fog again.",
    "On the right, if you are lucky, you can see the seals.",
    "They follow the ferry because the cook is fond of them.",
    "Nobody knows why, but they never follow the other ship.",
    "In a moment we pass the narrow channel between the two rocks.",
    "Sailors call them the Sisters, and they have sunk many a ship.",
    "Ours has passed them eleven thousand times, so do not worry.",
    "And if you do worry, the bar is open.",
    "There is soup, there is bread, and there is very strong coffee.",
    "The lighthouse that you see now is the new one; nobody lives in it.",
    "A computer lights it, and another computer watches the first one.",
    "Who watches the second computer, they would not tell me.",
    "We are about to arrive; please take all that is yours with you.",
    "The bus to the village waits for everyone, even for the slow ones.",
    "Thank you for sailing with us, and mind the step.",
    "Farewell, and come back when the sun shines.",
]
GERMAN = [f"Zeile {number + 1}: Guten Morgen und willkommen an Bord." for number in range(24)]
ARABIC = [f"السطر {number + 1}: صباح الخير وأهلا بكم على متن العبارة" for number in range(24)]
JAPANESE = [f"{number + 1}行目、おはようございます。\nフェリーへようこそ。" for number in range(24)]
SPEAKERS = ["Ada"] * 16 + ["Ben"] * 4 + ["Ada"] * 4

TITLE = "The ferry to the northern islands: two hours between fog & seals"
DETAILS: dict[str, Any] = {
    "title": TITLE,
    "media": {
        "channel": "Island Radio",
        "upload_date": "2026-03-14",
        "chapters": [
            {"start": 0, "end": 25, "title": "Welcome aboard"},
            {"start": 25, "end": 60, "title": "The old lighthouse and the seals"},
            {"start": 60, "end": 100, "title": "Between the Sisters"},
            {"start": 100, "end": 120, "title": "Farewell"},
        ],
    },
}

PICTURE = (
    "gradients=s=960x540:r=5:d={seconds}:c0=0x16425b:c1=0x3a7ca5:c2=0x81c3d7:c3=0xd9dcd6:n=4:speed=0.008"
)
TONE = "sine=frequency=220:sample_rate=22050:duration={seconds}"


def make_media(folder: Path) -> dict[str, bytes]:
    """The film in H.264 and AAC, its sound alone, and a picture of it."""
    picture, tone = (source.format(seconds=SECONDS) for source in (PICTURE, TONE))
    see, hear = ["-f", "lavfi", "-i", picture], ["-f", "lavfi", "-i", tone]
    run(*see, *hear, "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25",
        "-c:a", "aac", "-shortest", "-movflags", "+faststart", str(folder / "film.mp4"))  # fmt: skip
    run(*hear, "-c:a", "libmp3lame", str(folder / "sound.mp3"))
    run(*see, "-frames:v", "1", str(folder / "picture.jpg"))
    return {path.suffix[1:]: path.read_bytes() for path in folder.iterdir()}


def run(*words: str) -> None:
    """ffmpeg, quietly."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *words], check=True)


def film(media: dict[str, bytes]) -> list[File]:
    """The film and its picture."""
    return [
        File("video", "mp4", media["mp4"], {"height": 540, "duration": float(SECONDS)}),
        File("thumbnail", "jpg", media["jpg"]),
    ]


def sound(media: dict[str, bytes]) -> list[File]:
    """The sound alone."""
    return [File("audio", "mp3", media["mp3"], {"duration": float(SECONDS)})]


def languages() -> list[File]:
    """What is said, in four languages; a line every five seconds."""
    return [
        *spoken("en", ENGLISH, speakers=SPEAKERS),
        *spoken("de", GERMAN, source="translated"),
        *spoken("ar", ARABIC, source="translated"),
        *spoken("ja", JAPANESE, source="automatic"),
    ]
