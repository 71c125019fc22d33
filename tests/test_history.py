from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from distkeras.conversation import Update
from distkeras.history import History, PhaseClock, progress
from distkeras.rules import downpour
from distkeras.server import ParameterServer


def server_with(windows: int) -> ParameterServer:
    server = ParameterServer(np.zeros(2, np.float32), downpour(), ("loss", "accuracy"), 4)
    server.join(0, 0, 100)
    for number in range(windows):
        metrics = np.float32([1 / (number + 1), 0.5])
        delta = np.ones(2, np.float32)
        server.exchange(Update(0, 0, 0, number, 10, metrics, delta, 0.25))
    return server


def test_the_history_has_a_row_for_each_window(tmp_path: Path) -> None:
    server = server_with(3)
    server.leave(0, 0, 0.75)
    History(server.history, server.metrics).to_parquet(tmp_path / "history.parquet")
    table = pq.read_table(tmp_path / "history.parquet")
    expected = (
        "worker epoch window samples loss accuracy staleness exchange_wait cpu_seconds timestamp"
    )
    assert table.column_names == expected.split()
    assert table["window"].to_pylist() == [0, 1, 2]
    assert table["samples"].to_pylist() == [10, 10, 10]
    np.testing.assert_allclose(table["loss"], [1, 1 / 2, 1 / 3], rtol=1e-6)
    # A wait is known one exchange later; the last one comes with the worker's leave.
    np.testing.assert_allclose(table["exchange_wait"], [0.25, 0.25, 0.75])


def test_an_empty_history_has_the_same_columns() -> None:
    table = History((), ("loss", "accuracy")).to_arrow()
    assert table.num_rows == 0
    assert "accuracy" in table.column_names


def test_progress_counts_rows_and_estimates_the_rest() -> None:
    server = server_with(5)
    first = server.history[0].timestamp
    now = progress(server, total=200, now=first + 2)
    assert (now.phase, now.rows, now.total) == ("train", 50, 200)
    assert now.samples_per_second == pytest.approx(20)
    assert now.seconds_left == pytest.approx(7.5)
    assert now.loss == pytest.approx(np.mean([1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]))


def test_progress_before_the_first_window() -> None:
    now = progress(server_with(0), total=200, now=0.0)
    assert (now.phase, now.rows) == ("start", 0)


def test_phases_add_up() -> None:
    clock, server = PhaseClock(), server_with(2)
    clock.ends("check")
    clock.trained(server)
    clock.ends("finish")
    assert list(clock.seconds) == ["check", "start", "train", "finish"]
