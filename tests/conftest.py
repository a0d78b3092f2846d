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
OTHERS = {"linkferry", "migrations", "monitoring", "infra"}  # start programs, every one of them
SERVERS = {"browser", "children", "double", "moto", "postgres", "rabbit", "site", "slack", "telegram", "web"}
SECOND = {"postgresql", "rabbitmq", "s3"}  # what a parameter calls the implementation that needs a server


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow whatever starts a server, and put the long tests first.

    At the end, one of those would leave the other processors idle.
    """
    for item in items:
        if needs_server(item):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: LONG.isdisjoint(item.path.parts))


def needs_server(item: pytest.Item) -> bool:
    """By the folder, the fixtures and the parameters of a test."""
    if not (LONG | OTHERS).isdisjoint(item.path.parts):
        return True
    if not isinstance(item, pytest.Function):
        return False
    params = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return not SERVERS.isdisjoint(item.fixturenames) or any(value in SECOND for value in map(str, params))


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
