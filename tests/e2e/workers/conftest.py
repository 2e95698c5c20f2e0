"""One server with workers for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.workers.cluster import Cluster
from tests.warm import Warm


@pytest.fixture(scope="package")
def cluster(tmp_path_factory: pytest.TempPathFactory, warm: Warm, database: Path) -> Iterator[Cluster]:
    """A server with workers, on which pipelines place their work, with its own store and home."""
    cluster = Cluster(tmp_path_factory.mktemp("cluster"), warm.python)
    try:
        cluster.start(database)
        yield cluster
    finally:
        cluster.processes.end()
