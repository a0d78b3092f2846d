"""Fixtures that several parts of the tests share."""

from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.site.server import MediaSite
from worker.child import ChildServer

TESTS = Path(__file__).parent
PLUGIN = TESTS / "site" / "plugin"
LONG = {"chaos", "processes", "journeys"}  # few tests that take much time
# Whatever is in these is slow.
FOLDERS = LONG | {"infra", "linkferry", "migrations", "monitoring", "speech", "translate"}
SERVERS = {"browser", "children", "double", "moto", "postgres", "rabbit", "site", "slack", "telegram", "web"}
PROGRAMS = {"film", "picture", "recording", "sample", "sentence"}  # ffmpeg makes these, and works on them
SECOND = {"postgresql", "rabbitmq", "s3"}  # what a parameter calls the implementation that needs a server


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import nothing of what `make check` leaves out."""
    return (config.option.markexpr == "not slow" and is_in(collection_path, FOLDERS)) or None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as slow whatever starts a server or a program, and put the long tests first.

    At the end, one of those would leave the other processors idle.
    """
    for item in items:
        if starts_something(item):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: not is_in(item.path, LONG))


def is_in(path: Path, folders: set[str]) -> bool:
    """Whether a test is in one of these folders of ours."""
    return path.is_relative_to(TESTS) and not folders.isdisjoint(path.relative_to(TESTS).parts)


def starts_something(item: pytest.Item) -> bool:
    """By the folder, the fixtures and the parameters of a test."""
    if is_in(item.path, FOLDERS):
        return True
    if not isinstance(item, pytest.Function):
        return False
    params = item.callspec.params.values() if hasattr(item, "callspec") else ()
    is_second = any(value in SECOND for value in map(str, params))
    return is_second or not (SERVERS | PROGRAMS).isdisjoint(item.fixturenames)


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
