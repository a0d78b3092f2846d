"""Everything ffmpeg does, on local files only: look, decide, convert in one pass, check.

probe.py    inspect(path) -> MediaInfo, one ffprobe call, or none where a child has looked already
answer.py   what ffprobe or a child says, typed               layout.py   what the bytes say by themselves
plan.py     MediaInfo + Options -> Plan, a pure decision       convert.py  Plan -> the finished file
check.py    is this the whole, playable file that was asked for
process.py  one ffmpeg or ffprobe process: bounded, killable   settings for hostile input live there too
"""

from worker.media.check import check, trust, verify
from worker.media.convert import ConversionLimits, convert, unfinished_result
from worker.media.plan import Plan, Track, plan
from worker.media.probe import Kind, MediaInfo, Stream, inspect, inspect_all

__all__ = [
    "ConversionLimits",
    "Kind",
    "MediaInfo",
    "Plan",
    "Stream",
    "Track",
    "check",
    "convert",
    "inspect",
    "inspect_all",
    "plan",
    "trust",
    "unfinished_result",
    "verify",
]
