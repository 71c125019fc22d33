"""``distkeras predict`` on the raw rows of a pipeline: its numbers are those of Evaluate."""

from __future__ import annotations

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


SPARK = ["--spark", "local[1]", "--conf", "spark.ui.enabled=false"]


@pytest.mark.parametrize("spark", [[], SPARK])
def test_numbers_are_those_of_evaluate(
    pipeline: tuple[Workspace, Run], tmp_path: Path, spark: list[str]
) -> None:
    """Without Spark no Java is needed, nor any other command."""
    workspace, _ = pipeline
    (train,) = workspace.published("Train")
    output = tmp_path / "scored.parquet"
    where = ["--model", str(train), "--input", "events.csv", "--output", str(output)]
    bare = {} if spark else {"JAVA_HOME": str(tmp_path), "PATH": str(tmp_path)}
    ran = workspace.run([sys.executable, "-m", "distkeras", "predict", *where, *spark], **bare)
    assert (ran.status, ran.stdout, ran.stderr) == (0, f"{output}: 600 rows\n", "")
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
