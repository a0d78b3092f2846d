"""What a search finds, as the REST API says it."""

from html import escape

from pydantic import BaseModel

from bots.finder import NO_WORDS, NOTHING, Hit, Hits, Spot
from shared.results import JobView

# Here words come in the parameter `q`, not after a command.
SENTENCES = {
    NO_WORDS: "Look for a word: letters or digits in the parameter q, such as /api/search?q=budget.",
    NOTHING: NOTHING.replace("/find budg*", "q=budg*"),
}


class MomentFound(BaseModel):
    """A moment of a video, in seconds; `html` is `text` with what was looked for in `<b>`.

    `url` opens the watch page there.
    """

    seconds: float
    text: str
    html: str
    url: str | None


class VideoFound(BaseModel):
    """A video that has what was looked for, in its title or at these moments; `more` are not listed."""

    job: JobView
    moments: list[MomentFound]
    more: int


class SearchAnswer(BaseModel):
    """What was found, the newest first. `detail` says what to do where that is nothing, or not all."""

    videos: list[VideoFound]
    detail: str | None


def answer(hits: Hits) -> SearchAnswer:
    """The same for programs."""
    sentence = hits.sentence and SENTENCES.get(hits.sentence, hits.sentence)
    return SearchAnswer(videos=[_video(hit) for hit in hits.hits], detail=sentence)


def _video(hit: Hit) -> VideoFound:
    return VideoFound(job=hit.view, moments=[_moment(spot) for spot in hit.spots], more=hit.more)


def _moment(spot: Spot) -> MomentFound:
    shown = [(escape(piece.text), piece.is_hit) for piece in spot.moment.snippet]
    return MomentFound(
        seconds=spot.moment.seconds,
        text="".join(piece.text for piece in spot.moment.snippet),
        html="".join(f"<b>{text}</b>" if is_hit else text for text, is_hit in shown),
        url=spot.url,
    )
