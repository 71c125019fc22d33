"""``distkeras predict`` on the raw rows of a pipeline: its numbers are those of Evaluate."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.preprocessing.preprocessor import Preprocessor
from tests.tasks.workspace import Run, Workspace


def evaluated(workspace: Workspace) -> tuple[np.ndarray, np.ndarray]:
    """The test split's features and Evaluate's predictions; both are in one order."""
    (preprocess,), (evaluate,) = (workspace.published(t) for t in ("Preprocess", "Evaluate"))
    features = pq.read_table(preprocess / "test")["features"]
    predictions = pq.read_table(evaluate / "predictions")["prediction"]
    return np.stack(features.to_numpy()), np.stack(predictions.to_numpy())


@pytest.mark.parametrize("spark", [[], ["--spark", "local[2]"]])
def test_numbers_are_those_of_evaluate(
    pipeline: tuple[Workspace, Run], tmp_path: Path, spark: list[str]
) -> None:
    workspace, _ = pipeline
    (train,) = workspace.published("Train")
    output = tmp_path / "scored.parquet"
    where = ["--model", str(train), "--input", "events.csv", "--output", str(output)]
    ran = workspace.run([sys.executable, "-m", "distkeras", "predict", *where, *spark])
    assert (ran.status, ran.stderr) == (0, "")
    raw: pa.Table = pq.read_table(output)
    scored = np.stack(raw["prediction"].to_numpy())
    features = Preprocessor.load(train / "preprocessor.json").transform(raw)
    wanted, predictions = evaluated(workspace)
    tested = {row.tobytes() for row in wanted}
    chosen = np.array([row.tobytes() in tested for row in features])
    # Rows of the training split may be twins of test rows; their numbers are the same then.
    assert len(wanted) <= chosen.sum() < len(features)
    known = {row.tobytes(): p for row, p in zip(wanted, predictions, strict=True)}
    expected = np.stack([known[row.tobytes()] for row in features[chosen]])
    np.testing.assert_allclose(scored[chosen], expected, rtol=1e-6)


def test_hadoop_is_not_needed(pipeline: tuple[Workspace, Run], tmp_path: Path) -> None:
    """Neither is Java: the rows are scored where there is none."""
    workspace, _ = pipeline
    (train,) = workspace.published("Train")
    where = ["--model", str(train), "--input", "events.csv", "--output", str(tmp_path / "x.csv")]
    ran = subprocess.run(
        [sys.executable, "-m", "distkeras", "predict", *where],
        cwd=workspace.folder,
        env=workspace.environment(JAVA_HOME=str(tmp_path)) | {"PATH": os.fspath(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
