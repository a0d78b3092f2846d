"""Fixtures that several parts of the tests share."""

from collections.abc import Iterator

import pytest

from tests.site.server import MediaSite


@pytest.fixture(scope="session")
def site() -> Iterator[MediaSite]:
    """The media site on loopback, for the whole session; see tests/site/README.md."""
    with MediaSite() as running:
        yield running
