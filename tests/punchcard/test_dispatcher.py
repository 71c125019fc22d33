from __future__ import annotations

from pathlib import Path

import pytest

from distkeras.punchcard import dispatcher as module
from distkeras.punchcard import launcher
from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.dispatcher import STARTS, Dispatcher
from distkeras.punchcard.limits import Limits
from distkeras.punchcard.processes import Processes
from distkeras.punchcard.store import Share, Store
from tests.punchcard.served import until
from tests.punchcard.test_store import wanted

BROKEN = """
import sys
with open({tries!r}, "a") as file:
    file.write("x")
raise OSError(28, "No space left on device")
"""


def test_a_launcher_that_always_dies_is_not_started_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a full disk, where it cannot say that it runs."""
    tries = tmp_path / "tries"
    broken = tmp_path / "launcher.py"
    broken.write_text(BROKEN.format(tries=str(tries)))
    monkeypatch.setattr(launcher, "__file__", str(broken))
    monkeypatch.setattr(module, "PAUSE", 0.2)
    with Store(tmp_path / "jobs.sqlite") as store:
        processes = Processes(tmp_path / "jobs")
        name = store.submit(wanted(), Share(9, 9))[0].id
        processes.folder(name).mkdir()
        store.queue(name)
        limits = Limits(DataRoots([str(tmp_path)]))
        with Dispatcher(store, processes, lambda job, folder: ["true"], limits):
            until(lambda: store.job(name).state == "failed", "its end")
        assert store.job(name).error == "the server cannot start it"
        # Once, and then as often as is said.
        assert tries.read_text() == "x" * (STARTS + 1)
