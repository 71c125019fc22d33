"""What a job has learned, from the files that were fetched."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from distkeras.errors import StorageError
from distkeras.job_deployment.fetched import load_fetched
from distkeras.storage import read_json

if TYPE_CHECKING:
    from distkeras.history import History
    from distkeras.preprocessing.preprocessor import Preprocessor

__all__ = ["history_of", "model_of", "preprocessor_of", "report_of"]


def model_of(folder: Path) -> Any:
    """The model; of an ensemble, the list of them.

    Raises:
        StorageError: there is none, or it is no model of Keras' own parts.
    """
    members = sorted(folder.glob("model-*.keras"), key=_number)
    return [load_fetched(one) for one in members] or load_fetched(folder / "model.keras")


def history_of(folder: Path) -> History:
    """What happened in training, window by window.

    Raises:
        StorageError: there is none, or it is something else.
    """
    import pyarrow.parquet as pq

    from distkeras.history import History

    path = folder / "history.parquet"
    try:
        return History.from_arrow(pq.read_table(path))
    except (OSError, ValueError, TypeError) as error:  # pyarrow's own are among these.
        reason = " ".join(str(error).split())[:300]
        raise StorageError(f"{path.name}: is no history: {reason}") from None


def preprocessor_of(folder: Path) -> Preprocessor:
    """What makes raw rows into the features that were trained on.

    Raises:
        StorageError: there is none, as the job had no ``preprocess``, or it is something else.
    """
    from distkeras.preprocessing.preprocessor import Preprocessor

    path = folder / "preprocessor.json"
    if not path.exists():
        raise StorageError(f"{path.name}: is not among the results: the job had no preprocess")
    return Preprocessor.load(path)


def report_of(folder: Path) -> dict[str, Any]:
    """The trainer's report.

    Raises:
        StorageError: there is none.
    """
    return read_json(folder / "report.json")


def _number(path: Path) -> int:
    return int(path.stem.rpartition("-")[2])
