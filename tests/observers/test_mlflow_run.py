"""MLflow: a real database, and a real socket behind which nobody answers."""

from __future__ import annotations

import importlib.util
import socket
import sqlite3
import sys
import time
from pathlib import Path

import pytest

from distkeras.conversation import Record
from distkeras.errors import EnvironmentProblem
from distkeras.history import History
from distkeras.monitor import Monitor
from distkeras.observers import MlflowRun, Point
from distkeras.observers.following import following, shown, tolerated
from distkeras.rules import downpour
from tests.linear import server_of

needs_mlflow = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("mlflow", "sqlalchemy", "alembic")),
    reason="the extra [mlflow] is not installed",
)


def record(worker: int, window: int) -> Record:
    time = 1000.0 + 10 * window + worker
    return Record(worker, 0, window, 16, (0.5 / (1 + window),), 1, 0.125, time)


@needs_mlflow
def test_a_training_and_its_evaluation_are_one_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    uri, tags = f"sqlite:///{tmp_path}/mlflow.db", {"distkeras.url": "file:///there"}
    run = MlflowRun(uri, "nights", "0123abcd", {"train.seed": 1}, tags)
    shown(History([record(n % 2, n // 2) for n in range(4)], ("loss",)), run, "a run")
    run.reopen()
    with tolerated(run):
        run.take([Point("center", 64, 2000.0, {"test_accuracy": 0.75, "nothing": float("nan")})])
        run.tag({"distkeras.evaluate.key": "4567"})
        run.close(True)
    assert not caplog.records
    read = sqlite3.connect(tmp_path / "mlflow.db")
    assert read.execute("SELECT name, status FROM runs").fetchall() == [
        ("train-0123abcd", "FINISHED")
    ]
    assert read.execute("SELECT key, value FROM params").fetchall() == [("train.seed", "1")]
    found = dict(read.execute("SELECT key, value FROM tags").fetchall())
    assert found | tags | {"distkeras.evaluate.key": "4567", "distkeras.key": "0123abcd"} == found
    asked = "SELECT step, timestamp, value FROM metrics WHERE key = ? ORDER BY step"
    assert read.execute(asked, ("loss",)).fetchall() == [
        *((16, 1000000, 0.5), (32, 1001000, 0.5)),
        *((48, 1010000, 0.25), (64, 1011000, 0.25)),
    ]
    assert [row[0] for row in read.execute(asked, ("worker-1/loss",))] == [32, 64]
    assert read.execute(asked, ("test_accuracy",)).fetchall() == [(64, 2000000, 0.75)]
    assert read.execute(asked, ("nothing",)).fetchall() == []


@needs_mlflow
def test_a_server_that_never_answers_costs_its_patience_and_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        at = f"127.0.0.1:{silent.getsockname()[1]}"
        run = MlflowRun(f"http://user:hidden@{at}", "nights", patience=2.0)
        with following(Monitor(server_of(downpour()), 1), [run], "a run"):
            began = time.monotonic()
        assert time.monotonic() - began < 30
    (line,) = [one.getMessage() for one in caplog.records]
    assert line == (
        f"MLflow at http://{at}: not all is logged: no answer within 2 s; "
        "the results do not depend on it"
    )


def test_without_mlflow_nothing_is_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(EnvironmentProblem, match=r"^MLflow is not installed: pip install 'distk"):
        MlflowRun("http://127.0.0.1:5000")
