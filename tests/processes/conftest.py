"""Clusters: one that a whole module shares, and one of a test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.processes.cluster import Cluster
from tests.services import (
    PrivatePostgres,
    PrivateRabbit,
    postgres,
    private_postgres,
    private_rabbit,
    rabbit,
    start_broker,
)
from tests.site.server import MediaSite

__all__ = ["postgres", "rabbit"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts processes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture
def cluster(
    tmp_path: Path, site: MediaSite, rabbit: PrivateRabbit, postgres: PrivatePostgres
) -> Iterator[Cluster]:
    """An installation where nothing runs yet."""
    site.reset()
    cluster = Cluster(tmp_path, site, rabbit, postgres)
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def shared_cluster(tmp_path_factory: pytest.TempPathFactory, site: MediaSite) -> Iterator[Cluster]:
    """Web and two workers with a slot each, for tests that clean up behind themselves."""
    start_broker()
    private_rabbit().forget()
    if not private_postgres().running():
        private_postgres().start()
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), site, private_rabbit(), private_postgres())
    cluster.web()
    cluster.workers(2)
    yield cluster
    cluster.close()
