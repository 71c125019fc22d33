"""One server for the tests that leave it as it is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.punchcard.served import Server


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("punchcard"), "--max-model-mb", "8") as server:
        yield server
