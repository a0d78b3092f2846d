"""Decisions of an attempt that need no network."""

import pytest

from shared.link import media_key
from shared.options import Options
from worker.attempt import identity_of
from worker.child.protocol import Media


def found(extractor: str, media_id: str, address: str) -> Media:
    """What probing a page found."""
    return Media(extractor=extractor, media_id=media_id, webpage_url=address, title="t")


def key(media: Media) -> str:
    """What makes two links the same result."""
    identity = identity_of(media)
    return media_key(identity.extractor, identity.media_id, Options())


@pytest.mark.parametrize("extractor", ["Generic", "HTML5MediaEmbed"])
@pytest.mark.parametrize(
    "other", ["https://b.example/clip.mp4", "https://a.example/x/clip.mp4", "https://a.example/clip.mp4?v=2"]
)
def test_generic_pages_that_end_alike_are_different_media(extractor: str, other: str) -> None:
    one = found(extractor, "clip", "https://a.example/clip.mp4")
    assert key(one) != key(found(extractor, "clip", other))
    assert key(one) == key(one.model_copy(update={"title": "another"}))


def test_a_site_of_its_own_names_its_media_by_id_whatever_the_address() -> None:
    one = found("Youtube", "abcdefghijk", "https://youtu.be/abcdefghijk")
    assert key(one) == key(found("Youtube", "abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk"))
