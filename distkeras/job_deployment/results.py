"""What a job has learned, from the files that were fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from distkeras.job_deployment.fetched import load_fetched
from distkeras.storage import read_json

if TYPE_CHECKING:
    from distkeras.history import History

__all__ = ["history_of", "model_of", "report_of"]


def model_of(folder: Path) -> Any:
    """The model; of an ensemble, the list of them.

    Raises:
        StorageError: there is none, or it is no model of Keras' own parts.
    """
    members = sorted(folder.glob("model-*.keras"), key=_number)
    return [load_fetched(one) for one in members] or load_fetched(folder / "model.keras")


def history_of(folder: Path) -> History:
    """What happened in training, window by window."""
    import pyarrow.parquet as pq

    from distkeras.history import History

    return History.from_arrow(pq.read_table(folder / "history.parquet"))


def report_of(folder: Path) -> dict[str, Any]:
    """The trainer's report.

    Raises:
        StorageError: there is none.
    """
    return read_json(folder / "report.json")


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
