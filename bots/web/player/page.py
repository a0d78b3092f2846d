"""From a job and its artifacts to what the watch page says: titles, tracks, files and their links. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from bots.web.player.lines import Mark
from shared.languages import UNKNOWN, language_name
from shared.models import Artifact, ArtifactKind, Job
from shared.results import WATCHABLE, chapters_of
from shared.storage import Disposition
from shared.words import size_words, time_words

SOURCES = {"automatic": "automatic", "translated": "translated", "speech": "recognised speech"}
RIGHT_TO_LEFT = (
    "ar",
    "arc",
    "arz",
    "ary",
    "apc",
    "ckb",
    "dv",
    "fa",
    "he",
    "ks",
    "ps",
    "sd",
    "ug",
    "ur",
    "yi",
)
MEDIA = (ArtifactKind.VIDEO, ArtifactKind.AUDIO)
TEXTS = (ArtifactKind.CAPTIONS, ArtifactKind.TRANSCRIPT)
NAMES = {
    ArtifactKind.VIDEO: "Video",
    ArtifactKind.AUDIO: "Audio",
    ArtifactKind.THUMBNAIL: "Picture",
    ArtifactKind.INFO: "Details",
}

Sign = Callable[[Artifact, Disposition], str]
"""A fresh link to a file."""


@dataclass(frozen=True)
class Download:
    """A file to save."""

    name: str
    details: str
    url: str


@dataclass(frozen=True)
class Track:
    """One transcript in every format it has. `key` names it in addresses; `name` is for people.

    `captions` is what the player shows beside the film, `text` what the lines are read from.
    """

    key: str
    language: str
    name: str
    direction: str
    captions: Artifact | None
    text: Artifact
    downloads: tuple[Download, ...]


@dataclass(frozen=True)
class Page:
    """Everything on the page but the lines of the transcript."""

    title: str
    facts: tuple[str, ...]
    note: str | None
    media: Artifact | None
    media_url: str | None
    poster_url: str | None
    chapters: tuple[Mark, ...]
    tracks: tuple[Track, ...]
    files: tuple[Download, ...]
    expires_at: datetime

    @property
    def layout(self) -> str:
        """What there is, as the style sheet's classes say it."""
        kind = self.media.kind if self.media else "silent"
        return f"{kind} {'spoken' if self.tracks else 'wordless'}"

    @property
    def is_video(self) -> bool:
        """Whether there is something to see, not only to hear."""
        return self.media is not None and self.media.kind is ArtifactKind.VIDEO

    def track(self, key: str | None) -> Track | None:
        """The transcript of this key, else the first."""
        named = (track for track in self.tracks if track.key == key)
        return next(named, self.tracks[0] if self.tracks else None)


def alive(job: Job, now: datetime) -> list[Artifact]:
    """The files of a job that may still be fetched."""
    return [
        artifact
        for artifact in job.artifacts
        if not artifact.deleted_at and not artifact.revoked_at and artifact.expires_at > now
    ]


def is_watchable(artifacts: Sequence[Artifact]) -> bool:
    """Whether there is something to play or to read."""
    return any(artifact.kind in WATCHABLE for artifact in artifacts)


def page_of(job: Job, artifacts: Sequence[Artifact], sign: Sign, expires_at: datetime) -> Page:
    """The page of a job for these of its files; its links work until `expires_at`."""
    media = next((artifact for kind in MEDIA for artifact in artifacts if artifact.kind is kind), None)
    poster = next((artifact for artifact in artifacts if artifact.kind is ArtifactKind.THUMBNAIL), None)
    return Page(
        title=job.title or "Untitled",
        facts=tuple(_facts(job, media)),
        note=job.note,
        media=media,
        media_url=sign(media, "inline") if media else None,
        poster_url=sign(poster, "inline") if poster else None,
        chapters=tuple(_chapters(job)),
        tracks=tuple(_tracks(artifacts, sign)),
        files=tuple(_download(artifact, sign) for artifact in artifacts if artifact.kind not in TEXTS),
        expires_at=expires_at,
    )


def _chapters(job: Job) -> Iterator[Mark]:
    for start, title in chapters_of(job):
        yield Mark(title or f"From {time_words(start)}", start)


def _facts(job: Job, media: Artifact | None) -> Iterator[str]:
    facts = job.media or {}
    duration = media.duration if media and media.duration else job.duration
    yield from (str(facts[name]) for name in ("channel", "upload_date") if facts.get(name))
    if duration:
        yield time_words(duration)


def _tracks(artifacts: Sequence[Artifact], sign: Sign) -> Iterator[Track]:
    groups: dict[tuple[str, str | None], list[Artifact]] = {}
    for artifact in artifacts:
        if artifact.kind in TEXTS:
            groups.setdefault((artifact.language or UNKNOWN, artifact.source), []).append(artifact)
    taken: set[str] = set()
    for (language, source), group in groups.items():
        key = f"{language}.{source}" if language in taken else language
        taken.add(key)
        yield _track(key, language, source, group, sign)


def _track(key: str, language: str, source: str | None, group: Sequence[Artifact], sign: Sign) -> Track:
    by_format = {artifact.format: artifact for artifact in group}
    readable = (by_format[form] for form in ("vtt", "srt", "txt") if form in by_format)
    name = "Transcript" if language == UNKNOWN else language_name(language)
    made = SOURCES.get(source or "")
    return Track(
        key=key,
        language=language,
        name=f"{name} ({made})" if made else name,
        direction="rtl" if language.partition("-")[0] in RIGHT_TO_LEFT else "ltr",
        captions=by_format.get("vtt"),
        text=next(readable, group[0]),
        downloads=tuple(
            Download(artifact.format.upper(), size_words(artifact.size), sign(artifact, "attachment"))
            for artifact in group
        ),
    )


def _download(artifact: Artifact, sign: Sign) -> Download:
    height = f"{artifact.height}p" if artifact.height else None
    details = (artifact.format.upper(), height, size_words(artifact.size))
    url = sign(artifact, "attachment")
    return Download(NAMES[artifact.kind], " · ".join(detail for detail in details if detail), url)
