"""Small inputs that the tests of this room write, and the shortest way to preprocess them."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from distkeras.preprocessing.preprocessor import Preprocessor
from distkeras.preprocessing.run import preprocess
from distkeras.preprocessing.spec import PreprocessSpec

MAGIC = Path(__file__).parents[2] / "examples" / "data" / "magic04.csv"


def spec(path: Path | str, column: str = "class", **more: Any) -> PreprocessSpec:
    """A spec with one source, ``events``."""
    table: dict[str, Any] = {"sources": {"events": {"path": str(path)}}}
    table["label"] = {"column": column}
    return PreprocessSpec.model_validate(table | more)


class Result:
    """What one preprocessing wrote."""

    def __init__(self, path: Path, manifest: dict[str, Any]) -> None:
        self.path = path
        self.manifest = manifest
        self.fitted = Preprocessor.load(path / "preprocessor.json")

    def split(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Features and labels of ``train`` or ``test``, sorted by the features' bytes."""
        table = pq.read_table(self.path / name)
        features = np.stack(table["features"].to_numpy())
        order = np.lexsort(features.T)
        return features[order], table["label"].to_numpy()[order]


def run(spark: Any, folder: Path, wanted: PreprocessSpec) -> Result:
    """Preprocesses into a fresh directory below ``folder``."""
    destination = folder / uuid.uuid4().hex
    destination.mkdir()
    return Result(destination, preprocess(spark, wanted, destination))


def write_csv(path: Path, table: pd.DataFrame | str) -> Path:
    """Writes a CSV from a frame or from text."""
    if isinstance(table, str):
        path.write_text(table)
    else:
        table.to_csv(path, index=False)
    return path


def events(rows: int = 200, seed: int = 0) -> pd.DataFrame:
    """Rows with two numbers, a color, a day, a station and a label of two classes."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(5, 2, rows).round(4),
            "b": rng.integers(0, 50, rows),
            "color": rng.choice(["red", "green", "blue"], rows),
            "day": [
                f"2013-{m:02d}-{d:02d}"
                for m, d in zip(rng.integers(1, 13, rows), rng.integers(1, 29, rows), strict=True)
            ],
            "station": rng.integers(1, 5, rows),
            "class": rng.choice(["yes", "no"], rows, p=[0.3, 0.7]),
        }
    )


NUMERIC = {"numeric": ["a", "b"]}
