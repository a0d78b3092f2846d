"""Where a job is and what came of it, in words: the same in a terminal and in every chat. Pure."""

from math import ceil

from shared.models import JobState, Stage
from shared.results import ArtifactView, JobView
from shared.words import size_words, time_words

STAGE_WORDS = {
    Stage.PROBE: "Looking at the link",
    Stage.DOWNLOAD: "Downloading",
    Stage.CAPTIONS: "Fetching captions",
    Stage.SPEECH: "Listening to what is said",
    Stage.TRANSLATE: "Translating",
    Stage.CONVERT: "Converting",
    Stage.VERIFY: "Checking the file",
    Stage.STORE: "Storing",
}
ASK = "What shall it be?"
GONE = "The files are no longer kept; send the link again."
STEP = 5  # seconds: a countdown in these steps is edited less often


def share(progress: dict[str, float]) -> float | None:
    """How much is done, from 0 to 1; None when nobody knows."""
    done, total, fraction = progress.get("done"), progress.get("total"), progress.get("fraction")
    if fraction is None and done is not None and total:
        fraction = done / total
    return None if fraction is None else min(1.0, max(0.0, fraction))


def facts(progress: dict[str, float]) -> list[str]:
    """The numbers of a download: size, speed, time left."""
    found = []
    done, total = progress.get("done"), progress.get("total")
    if done:
        found.append(f"{size_words(done)} of {size_words(total)}" if total else size_words(done))
    if speed := progress.get("speed"):
        found.append(f"{size_words(speed)}/s")
    if (eta := progress.get("eta")) is not None:
        found.append(f"{time_words(eta)} left")
    return found


def stage_words(view: JobView) -> str:
    """What the job does now, without numbers: it changes only when something else begins."""
    if view.state is JobState.QUEUED and view.retry_in is not None:
        return f"Trying again soon. {view.error.message if view.error else ''}".strip()
    if view.state is not JobState.RUNNING:
        return ". ".join(filter(None, (view.state.capitalize(), view.obstacle)))
    return STAGE_WORDS.get(view.stage, "Starting") if view.stage else "Starting"


def brief(view: JobView) -> str:
    """How the job is doing, in a list of several: one line, with words of strangers in it."""
    words = [stage_words(view)]
    if view.state is JobState.QUEUED and view.retry_in is not None:
        words = ["Trying again soon"]  # its message says why
    elif view.state is JobState.QUEUED and view.position:
        words.append(f"number {view.position} in line")
    if view.state is JobState.RUNNING and (done := share(view.progress or {})) is not None:
        words.append(f"{done:.0%}")
    if view.state is JobState.DONE and view.offers is not None:
        words = ["waits for your choice"]
    elif view.state is JobState.DONE and view.duration_seconds:
        words.append(time_words(view.duration_seconds))
    return " · ".join(words)


def soon_words(seconds: float) -> str:
    """When something will happen, in steps."""
    return time_words(ceil(seconds / STEP) * STEP)


def describe(artifact: ArtifactView) -> str:
    """What was really delivered: kind, height, format, language, size."""
    words = [str(artifact.kind)]
    if artifact.height:
        words.append(f"{artifact.height}p")
    words.append(artifact.format)
    if artifact.language:
        words.append(f"{artifact.language}, {artifact.source}" if artifact.source else artifact.language)
    words.append(size_words(artifact.size_bytes))
    return " · ".join(words)
