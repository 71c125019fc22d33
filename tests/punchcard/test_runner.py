"""What runs a job whose data is raw; ``test_end_to_end`` has one that succeeds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.errors import ConfigError, DataError
from distkeras.punchcard.job_file import job_file
from distkeras.punchcard.job_folder import ERROR, MODEL
from distkeras.punchcard.runner import main
from distkeras.punchcard.submitting import SparkSubmit
from tests.punchcard.raw import table, write_raw

NAME = "0123456789abcdef"


class Submitted:
    """A job's folder, as a server leaves it to the runner."""

    def __init__(self, folder: Path) -> None:
        self.data, self.results = folder / "data", folder / "results"
        self.data.mkdir()
        self.raw = write_raw(self.data / "raw.csv")
        self.folder = folder / "jobs" / NAME
        self.folder.mkdir(parents=True)

    def prepare(self, width: int, **more: Any) -> None:
        """Writes the job, and a model that takes so many features."""
        import keras

        keras.utils.set_random_seed(1)
        layers = [keras.layers.Dense(4, "relu"), keras.layers.Dense(2, "softmax")]
        keras.Sequential([keras.Input((width,)), *layers]).save(self.folder / MODEL)
        arguments = {"worker_optimizer": "adam", "loss": "categorical_crossentropy"}
        given = {
            "name": "raw",
            "preprocess": table(self.raw, **more),
            "trainer": {"name": "SingleTrainer", "arguments": arguments | {"num_epoch": 2}},
            "model": {"sha256": "0" * 64, "bytes": 1},
        }
        submit = SparkSubmit("spark-submit", str(self.results), (str(self.data),))
        submit(job_file(given), self.folder)

    def said(self) -> str:
        return (self.folder / ERROR).read_text()


@pytest.fixture
def job(tmp_path: Path) -> Submitted:
    return Submitted(tmp_path)


def test_what_was_preprocessed_before_a_kill_is_trained_on_and_told_of_where_it_does_not_fit(
    spark: Any, job: Submitted
) -> None:
    made = job.results / f".{NAME}.data"
    (made / "train").mkdir(parents=True)
    features = pa.array([[1.0, 2.0, 3.0]] * 8, pa.list_(pa.float32()))
    pq.write_table(
        pa.table({"features": features, "label": [0, 1] * 4}), made / "train" / "0.parquet"
    )
    # Of this nothing could be made.
    job.raw.write_text("nonsense\n")
    job.prepare(width=5)
    with pytest.raises(DataError):
        main(str(job.folder))
    rows = "column 'features': the rows have 3 features"
    assert job.said() == f"{rows}, but the model's input shape (5,) takes 5\n"
    assert os.listdir(job.results) == [made.name]


def test_a_link_that_leads_out_since_it_was_submitted_is_not_followed(job: Submitted) -> None:
    outside = job.data.parent / "secret.csv"
    outside.write_text("a,kind\n1,x\n2,y\n")
    job.raw.unlink()
    job.raw.symlink_to(outside)
    job.prepare(width=3)
    with pytest.raises(ConfigError):
        main(str(job.folder))
    assert job.said() == (
        "preprocess.sources.events.path: is outside the folders that this server reads\n"
    )
    assert not job.results.exists()
