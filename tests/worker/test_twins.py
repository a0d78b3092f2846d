"""Which links are the same media."""

import pytest

from shared.link import media_key
from shared.options import Options
from worker.child.protocol import Media
from worker.twins import identity_of


def found(extractor: str, media_id: str, address: str = "https://a.example/clip.mp4") -> Media:
    """What probing a page found."""
    return Media(extractor=extractor, media_id=media_id, webpage_url=address, title="t")


def key(media: Media, link: str) -> str:
    """What makes two links the same result."""
    identity = identity_of(media, link)
    return media_key(identity.extractor, identity.media_id, Options())


@pytest.mark.parametrize("extractor", ["Generic", "HTML5MediaEmbed"])
@pytest.mark.parametrize(
    "other", ["https://b.example/clip.mp4", "https://a.example/x/clip.mp4", "https://a.example/clip.mp4?v=2"]
)
def test_generic_pages_that_end_alike_are_different_media(extractor: str, other: str) -> None:
    one = found(extractor, "clip")
    assert key(one, "https://a.example/clip.mp4") != key(one, other)
    assert key(one, other) == key(one.model_copy(update={"title": "another"}), other)


@pytest.mark.parametrize("address", ["", "https://a.example/"])
@pytest.mark.parametrize("extractor", ["Generic", "Someone"])
def test_pages_that_name_nothing_are_told_apart_by_the_whole_link(extractor: str, address: str) -> None:
    long = "https://a.example/" + "x" * 1900
    nameless = found(extractor, "", address)
    assert key(nameless, long + "1") != key(nameless, long + "2")


def test_a_site_of_its_own_names_its_media_by_id_whatever_the_address() -> None:
    links = "https://youtu.be/abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk"
    assert key(found("Youtube", "abcdefghijk"), links[0]) == key(found("Youtube", "abcdefghijk"), links[1])
