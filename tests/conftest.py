"""Fixtures that several parts of the tests share."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.site.server import MediaSite
from worker.child import ChildServer

PLUGIN = Path(__file__).parent / "site" / "plugin"
LONG = {"chaos", "processes", "journeys"}  # few tests that take much time


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first: at the end, one of them would leave the other processors idle."""
    items.sort(key=lambda item: LONG.isdisjoint(item.path.parts))


@pytest.fixture(scope="session")
def site() -> Iterator[MediaSite]:
    """The media site on loopback, for the whole session; see tests/site/README.md."""
    with MediaSite() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def children() -> AsyncIterator[ChildServer]:
    """The warm process of the session, whose children know the test extractor."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(PLUGIN))
        async with ChildServer() as running:
            yield running


@pytest.hookimpl(wrapper=True)
def pytest_report_to_serializable() -> Generator[None, Any, Any]:
    """What a process of the test run reports may quote any text, and half a character is not UTF-8."""
    return encodable((yield))


def encodable(value: Any) -> Any:
    """The same with `?` for whatever UTF-8 has no bytes for, however deep it lies."""
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {encodable(key): encodable(inner) for key, inner in value.items()}
        case list() | tuple():
            return type(value)(map(encodable, value))
        case _:
            return value
