from __future__ import annotations

import os
import time
from pathlib import Path

from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.dispatcher import FORGOTTEN, Dispatcher
from distkeras.punchcard.job_folder import UPLOAD
from distkeras.punchcard.limits import Limits
from distkeras.punchcard.processes import Processes
from distkeras.punchcard.store import Store
from tests.punchcard.test_store import wanted


def test_a_job_is_forgotten_when_nothing_of_its_model_comes_any_more(tmp_path: Path) -> None:
    limits = Limits(DataRoots([str(tmp_path)]))
    with Store(tmp_path / "jobs.sqlite") as store:
        processes = Processes(tmp_path / "jobs")
        dispatcher = Dispatcher(store, processes, lambda job, folder: [], limits)
        new, never, slow, stopped = (store.submit(wanted(f"key-{n}"), 9)[0].id for n in range(4))
        long_ago = time.time() - FORGOTTEN - 60
        with store._transaction() as database:
            database.execute("UPDATE jobs SET submitted = ? WHERE id != ?", (long_ago, new))
        for name in (slow, stopped):
            processes.folder(name).mkdir()
            (processes.folder(name) / f"{UPLOAD}1").write_bytes(b"half")
        os.utime(processes.folder(stopped) / f"{UPLOAD}1", (long_ago, long_ago))
        dispatcher._sweep()
        assert [store.job(name) is not None for name in (new, never, slow, stopped)] == [
            *(True, False, True, False),
        ]
        assert processes.names() == [slow]
