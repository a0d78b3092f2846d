"""Builds the site's media with ffmpeg, once for each version of the recipe.

media/   the sample clip in several containers, thumbnails, captions
hls/     three heights, two audio languages, captions in two languages, a master playlist
hls60/   one playlist of 60 short segments
dash/    separate audio and video
tube/    the formats behind the test extractor's links
big/     a long, small clip that `tests.site.big` blows up; the results are kept beside it
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import time
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.site import captions
from tests.site.speech import DURATION, SENTENCES, Cue, Times, cues

CACHE = Path(__file__).parents[2] / ".cache" / "site"
RECIPES = ("media.py", "speech.py", "captions.py", "big.py")
HEIGHTS = {144: 256, 240: 426, 360: 640, 480: 854, 720: 1280, 1080: 1920, 1440: 2560, 2160: 3840}
HLS_HEIGHTS = (180, 360, 720)
TUBE_CODECS = {
    "avc1": ("mp4", [144, 240, 360, 480, 720, 1080]),
    "vp9": ("webm", list(HEIGHTS)),
    "av01": ("mp4", list(HEIGHTS)),
}
TIMESTAMP_MAP = "X-TIMESTAMP-MAP=MPEGTS:126000,LOCAL:00:00:00.000"  # ffmpeg's segments start at 1.4 s
X264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
ENCODERS = {
    "avc1": f"{X264} -qp 40",
    "vp9": "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -lag-in-frames 0 -row-mt 1 -b:v 100k",
    "av01": "-c:v libaom-av1 -usage realtime -cpu-used 8 -row-mt 1 -b:v 100k",
}


def build(cache: Path = CACHE) -> Path:
    """The folder with all media, made when this recipe is new.

    Of the processes that call this at once, one makes it and the others wait.
    """
    version = hashlib.sha256(b"".join((Path(__file__).parent / name).read_bytes() for name in RECIPES))
    folder = cache / version.hexdigest()[:12]
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:  # which ends with its holder, however that ends
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            fresh = Path(tempfile.mkdtemp(prefix="building-", dir=cache))
            try:
                _make_everything(fresh)
                fresh.rename(folder)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)
        os.utime(folder)
        _forget_old_versions(cache)
    return folder


def _forget_old_versions(cache: Path) -> None:
    yesterday = time.time() - 24 * 3600
    for old in cache.iterdir():
        if old.stat().st_mtime < yesterday:
            shutil.rmtree(old, ignore_errors=True)


def _make_everything(root: Path) -> None:
    for name in ("media", "hls", "hls60", "dash", "tube", "big"):
        (root / name).mkdir()
    times = _speak(root / "speech.wav")
    (root / "times.json").write_text(json.dumps(times))
    with ThreadPoolExecutor(2) as pool:
        steps = [pool.submit(_tube_video, root, codec) for codec in ("vp9", "av01", "avc1")]
        steps += [pool.submit(step, root) for step in (_media, _streams, _hls60, _big_clip, _tube_audio)]
        for step in steps:
            step.result()
    _write_captions(root, times)


def _ffmpeg(arguments: str, folder: Path) -> None:
    """Run ffmpeg on a line of arguments (split at spaces) inside `folder`."""
    command = ["ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-y", *arguments.split()]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"ffmpeg {arguments}\n{done.stderr}")


def _speak(target: Path) -> Times:
    """Speak the English sentences into a wav of exactly `DURATION` seconds; returns when each is heard."""
    lead, pause = 0.3, 0.5
    times: Times = []
    with wave.open(str(target), "wb") as out:
        for number, sentence in enumerate(SENTENCES["en"]):
            part = target.parent / f"sentence{number}.wav"
            _speak_one(sentence, part, "slt")
            with wave.open(str(part), "rb") as spoken:
                if not times:
                    out.setparams(spoken.getparams())
                rate = spoken.getframerate()
                frames = spoken.readframes(spoken.getnframes())
            start = times[-1][1] + pause if times else lead
            out.writeframes(bytes(2 * round((pause if times else lead) * rate)) + frames)
            times.append((round(start, 3), round(start + len(frames) / 2 / rate, 3)))
            part.unlink()
        out.writeframes(bytes(2 * round((DURATION - times[-1][1]) * rate)))
    return times


def _speak_one(sentence: str, target: Path, voice: str) -> None:
    text = target.with_suffix(".txt")
    text.write_text(sentence)
    _ffmpeg(f"-f lavfi -i flite=textfile={text.name}:voice={voice} {target.name}", target.parent)
    text.unlink()


def _media(root: Path) -> None:
    pictures = f"-f lavfi -i testsrc2=s=640x360:r=15:d={DURATION}"
    sound = "-i ../speech.wav"
    sizes = f"-t {DURATION} -map_metadata -1"
    folder = root / "media"
    aac = "-c:a aac -b:a 64k -ar 44100"
    _ffmpeg(f"{pictures} {sound} {X264} -g 30 -crf 32 {aac} {sizes} -movflags +faststart sample.mp4", folder)
    _ffmpeg("-i sample.mp4 -c copy slowstart.mp4", folder)
    _ffmpeg("-i sample.mp4 -c copy -movflags +faststart ../tube/18.mp4", folder)
    vp9 = f"-vf scale=320:180 {ENCODERS['vp9']} -r 5 -c:a libopus -b:a 32k"
    _ffmpeg(f"{pictures} {sound} {vp9} {sizes} sample.webm", folder)
    _ffmpeg(f"{sound} {aac} {sizes} sample.m4a", folder)
    _ffmpeg("-ss 2 -i sample.mp4 -frames:v 1 -update 1 thumbnail.jpg", folder)
    _ffmpeg("-ss 2 -i sample.mp4 -frames:v 1 -c:v libwebp -update 1 thumbnail.webp", folder)


def _streams(root: Path) -> None:
    """HLS and DASH from the same encodes."""
    folder = root / "hls"
    _speak_one(" ".join(SENTENCES["es"]), root / "spanish.wav", "kal")
    for language, source in (("en", "speech"), ("es", "spanish")):
        sound = f"-i ../{source}.wav -af apad -t {DURATION} -c:a aac -b:a 64k -ar 44100"
        _ffmpeg(f"{sound} audio-{language}.m4a", folder)
    for height in HLS_HEIGHTS:
        source = f"-f lavfi -i testsrc2=s={height * 16 // 9}x{height}:r=10:d={DURATION}"
        _ffmpeg(f"{source} {X264} -g 20 -crf 38 video-{height}.mp4", folder)
    playlist = "-c copy -f hls -hls_time 4 -hls_playlist_type vod"
    for part in [*(f"video-{height}.mp4" for height in HLS_HEIGHTS), "audio-en.m4a", "audio-es.m4a"]:
        name = part.partition(".")[0]
        _ffmpeg(f"-i {part} {playlist} -hls_segment_filename {name}-%d.ts {name}.m3u8", folder)
    parts = "-i ../hls/video-180.mp4 -i ../hls/video-720.mp4 -i ../hls/audio-en.m4a -map 0 -map 1 -map 2"
    names = "-init_seg_name init-$RepresentationID$.m4s -media_seg_name part-$RepresentationID$-$Number$.m4s"
    _ffmpeg(f"{parts} -c copy -f dash -seg_duration 4 {names} manifest.mpd", root / "dash")


def _hls60(root: Path) -> None:
    source = "-f lavfi -i testsrc2=s=320x180:r=10:d=60 -stream_loop -1 -i ../speech.wav -t 60"
    output = "-f hls -hls_time 1 -hls_playlist_type vod -hls_segment_filename %d.ts index.m3u8"
    _ffmpeg(f"{source} {X264} -g 10 -crf 38 -c:a aac -b:a 48k {output}", root / "hls60")


def _big_clip(root: Path) -> None:
    source = "-f lavfi -i color=teal:s=640x360:r=10:d=120 -stream_loop -1 -i ../speech.wav -t 120"
    _ffmpeg(f"{source} {X264} -c:a aac -b:a 24k -movflags +faststart clip.mp4", root / "big")


def _tube_video(root: Path, codec: str) -> None:
    """A still picture at every height: four frames encoded, then repeated as they are to the full length."""
    extension, heights = TUBE_CODECS[codec]
    largest = max(heights)
    picture = f"-f lavfi -i testsrc2=s={HEIGHTS[largest]}x{largest}:r=1:d=1,loop=4:1,trim=end=4"
    scales = [f"-vf scale={HEIGHTS[height]}:{height}:flags=neighbor" for height in heights]
    names = [f"{codec}-{height}.{extension}" for height in heights]
    parts = [f"{scale} {ENCODERS[codec]} part-{name}" for scale, name in zip(scales, names, strict=True)]
    _ffmpeg(f"{picture} {' '.join(parts)}", root / "tube")
    loops = [f"-stream_loop {DURATION // 4 - 1} -i part-{name}" for name in names]
    whole = [f"-map {number} -c copy -t {DURATION} {name}" for number, name in enumerate(names)]
    _ffmpeg(f"{' '.join(loops)} {' '.join(whole)}", root / "tube")
    for name in names:
        (root / "tube" / f"part-{name}").unlink()


def _tube_audio(root: Path) -> None:
    folder = root / "tube"
    for bitrate, aac, opus in ((48, "139.m4a", "249.webm"), (96, "140.m4a", "251.webm")):
        sound = f"-i ../speech.wav -t {DURATION}"
        _ffmpeg(f"{sound} -c:a aac -b:a {bitrate}k -ar 44100 {aac}", folder)
        _ffmpeg(f"{sound} -c:a libopus -b:a {bitrate}k {opus}", folder)


def _write_captions(root: Path, times: Times) -> None:
    for language in SENTENCES:
        lines = cues(language, times)
        (root / "media" / f"sample.{language}.vtt").write_text(captions.vtt(lines, language))
        (root / "media" / f"sample.{language}.srt").write_text(captions.srt(lines))
    for language in ("en", "es"):
        _write_rendition(root / "hls", language, cues(language, times))
    _write_master(root / "hls")


def _write_rendition(folder: Path, language: str, lines: list[Cue]) -> None:
    """A WebVTT rendition in segments of four seconds; a cue is in every segment that it touches."""
    playlist = ["#EXTM3U", "#EXT-X-TARGETDURATION:4", "#EXT-X-VERSION:3", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for number, start in enumerate(range(0, DURATION, 4)):
        name = f"subs-{language}-{number}.vtt"
        inside = [cue for cue in lines if cue.start < start + 4 and cue.end > start]
        (folder / name).write_text(
            captions.vtt(inside, language).replace("\n\n", f"\n{TIMESTAMP_MAP}\n\n", 1)
        )
        playlist += ["#EXTINF:4.0,", name]
    (folder / f"subs-{language}.m3u8").write_text("\n".join([*playlist, "#EXT-X-ENDLIST", ""]))


def _write_master(folder: Path) -> None:
    names = {"en": "English", "es": "Español"}
    lines = ["#EXTM3U", "#EXT-X-VERSION:4"]
    for kind, group, prefix in (("AUDIO", "sound", "audio"), ("SUBTITLES", "subs", "subs")):
        for language, name in names.items():
            default = "YES" if language == "en" else "NO"
            lines.append(
                f'#EXT-X-MEDIA:TYPE={kind},GROUP-ID="{group}",NAME="{name}",LANGUAGE="{language}",'
                f'DEFAULT={default},AUTOSELECT=YES,URI="{prefix}-{language}.m3u8"'
            )
    for height in HLS_HEIGHTS:
        lines.append(
            f"#EXT-X-STREAM-INF:BANDWIDTH={height * 2000},RESOLUTION={height * 16 // 9}x{height},"
            'FRAME-RATE=10,CODECS="avc1.42c01e,mp4a.40.2",AUDIO="sound",SUBTITLES="subs"'
        )
        lines.append(f"video-{height}.m3u8")
    (folder / "master.m3u8").write_text("\n".join([*lines, ""]))
