"""Which links are the same media."""

import pytest

from worker.child.protocol import Identity, Media
from worker.twins import identity_of


def found(extractor: str, media_id: str, address: str = "https://a.example/clip.mp4") -> Media:
    """What probing a page found."""
    return Media(extractor=extractor, media_id=media_id, webpage_url=address, title="t")


@pytest.mark.parametrize("extractor", ["Generic", "HTML5MediaEmbed"])
def test_generic_pages_that_end_alike_are_never_the_same_media(extractor: str) -> None:
    assert identity_of(found(extractor, "clip")) is None


@pytest.mark.parametrize("extractor", ["Generic", "Someone"])
def test_pages_that_name_nothing_are_told_apart_by_their_links_alone(extractor: str) -> None:
    assert identity_of(found(extractor, "")) is None


def test_a_site_of_its_own_names_its_media_by_id_whatever_the_address() -> None:
    one = found("Youtube", "abcdefghijk", "https://youtu.be/abcdefghijk")
    other = found("Youtube", "abcdefghijk", "https://www.youtube.com/watch?v=abcdefghijk")
    assert identity_of(one) == identity_of(other) == Identity(extractor="Youtube", media_id="abcdefghijk")
