"""One server with workers for all tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.e2e.workers.cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A server with workers, on which pipelines place their work; it has a store and a home of its own."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.processes.end()
