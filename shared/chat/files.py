"""The files of a result: which one was asked for, who made a transcript, who can open a link. Pure."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from shared.models import ArtifactKind
from shared.results import ArtifactView, JobView

PLAYED = (ArtifactKind.VIDEO, ArtifactKind.AUDIO)
WRITTEN = (ArtifactKind.TRANSCRIPT, ArtifactKind.CAPTIONS)
MADE = {
    "manual": "made by people",
    "automatic": "made automatically",
    "translated": "translated automatically",
    "speech": "written down by speech recognition",
}
_PRIVATE_HOSTS = ("localhost", "local", "internal", "lan", "home.arpa")


def main_artifact(view: JobView) -> ArtifactView | None:
    """What was asked for: the video or the sound, else the first transcript. None when it is not kept."""
    ranked = {kind: rank for rank, kind in enumerate((*PLAYED, *WRITTEN))}
    kept = [each for each in view.artifacts if each.kind in ranked and each.url]
    return min(kept, key=lambda each: ranked[ArtifactKind(each.kind)], default=None)


def length_of(view: JobView) -> float | None:
    """Seconds of what was asked for: a clip is shorter than the whole. None where nobody knows."""
    main = main_artifact(view)
    return (main and main.duration_seconds) or view.duration_seconds


def written(view: JobView) -> list[ArtifactView]:
    """The transcripts and captions that are still kept."""
    return [each for each in view.artifacts if each.kind in WRITTEN and each.url]


def is_linkable(url: str) -> bool:
    """Whether also others than this machine can open this address; chat platforms take no other ones."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not host:
        return False
    try:
        return ip_address(host).is_global
    except ValueError:
        return "." in host and not f".{host}".endswith(tuple(f".{name}" for name in _PRIVATE_HOSTS))
