"""A standalone cluster of two Workers for a test module: ``standalone = running``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scripts.clusters.namespaces import unavailable
from scripts.clusters.standalone import Standalone


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    """Two Workers with a core and 1 GiB each; skipped where namespaces are not permitted."""
    if why := unavailable():
        pytest.skip(why)
    with Standalone(tmp_path_factory.mktemp("standalone")) as cluster:
        yield cluster
