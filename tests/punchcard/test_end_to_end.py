"""Real trainings by ``spark-submit``, for three users at once, over a server that is killed."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from distkeras.errors import JobFailed
from distkeras.job_deployment import Job
from distkeras.trainers import ADAG, EnsembleTrainer, SingleTrainer
from tests.punchcard.raw import TRAIN, raw_rows, table, write_raw
from tests.punchcard.served import Server, alive, secret_of, until

ROWS = 600
#: A Spark, a driver with TensorFlow and workers with one each, three times, on few cores.
MINUTES = 480.0


def rows() -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    features = random.normal(size=(ROWS, 3)).astype(np.float32)
    return features, (features.sum(axis=1) > 0).astype(np.int64)


def write(folder: Path) -> Path:
    features, labels = rows()
    folder.mkdir()
    table = pa.table({"features": list(features), "label": labels})
    pq.write_table(table, folder / "part-0.parquet")
    return folder


def model() -> Any:
    import keras

    keras.utils.set_random_seed(1)
    layers = [keras.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax")]
    return keras.Sequential(layers)


def accuracy(trained: Any) -> float:
    features, labels = rows()
    return float((trained.predict(features, verbose=0).argmax(axis=1) == labels).mean())


def send(server: Server, user: str, data: Path, trainer: Any, cores: int) -> Job:
    raw = data.suffix == ".csv"
    path, preprocess = (None, table(data)) if raw else (str(data), None)
    job = Job(secret_of(user), f"of {user}", path, 1, cores, trainer, preprocess=preprocess)
    job.send(server.url)
    return job


def test_three_users_at_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    options = ("--max-running", "3", "--conf", "spark.ui.enabled=false")
    server = Server(tmp_path, *options, module="distkeras.punchcard.command")
    server.users("ann", "bob", "eve")
    data, raw = write(server.data / "events"), write_raw(server.data / "raw.csv")
    common = {"worker_optimizer": "adam", "loss": "categorical_crossentropy", "batch_size": 16}
    with server:
        ann = send(server, "ann", data, ADAG(model(), num_epoch=100_000, **common), 2)
        bob = send(server, "bob", raw, SingleTrainer(model(), num_epoch=12, **common), 1)
        eve = send(server, "eve", data, EnsembleTrainer(model(), num_epoch=12, **common), 2)
        until(lambda: ann.state()["state"] == "running", "its turn")
        server.kill()
        server.start()
        ann, bob, eve = (Job.attach(server.url, job.secret, job.job_id) for job in (ann, bob, eve))
        bob.wait_completion(MINUTES)
        eve.wait_completion(MINUTES)
        assert "of bob: 100%, succeeded" in capfd.readouterr().err
        _check_results(bob, eve)
        _check_raw(bob, raw, server)
        _cancel(server, ann)
        assert [job.state()["attempt"] for job in (ann, bob, eve)] == [1, 1, 1]


def _check_raw(bob: Job, raw: Path, server: Server) -> None:
    """New raw rows are scored by what was trained on others."""
    fitted, rows = bob.get_preprocessor(), raw_rows(raw)
    scores = bob.get_trained_model().predict(fitted.transform(rows), verbose=0)
    found = fitted.decode(scores.argmax(axis=1))
    assert np.mean([one == row["kind"] for one, row in zip(found, rows, strict=True)]) > 0.85
    assert bob.state()["data_path"] == str(raw)
    # What was made of it, and its checkpoints, went with the job.
    assert not list((server.state / "results").glob(f".{bob.job_id}*"))


def _check_results(bob: Job, eve: Job) -> None:
    members = eve.get_trained_model()
    assert len(members) == 2
    assert all(accuracy(one) > 0.75 for one in members)
    history = bob.get_history()
    assert sum(record.samples for record in history.records) == 12 * TRAIN
    assert history.metrics == ("loss", "accuracy")
    last = bob.state()["progress"]
    assert (last["epoch"], last["epochs"], last["phase"]) == (12, 12, "finish")
    assert bob.is_finished()


def _cancel(server: Server, job: Job) -> None:
    def trains() -> bool:
        told = job.state()
        assert told["state"] == "running", told
        return bool(told["progress"]) and told["progress"]["phase"] == "train"

    until(trains, "the first epochs", MINUTES)
    sessions = [
        json.loads(file.read_text())["pid"]
        for file in (server.state / "jobs" / job.job_id).glob("process-*.json")
    ]
    # The launcher, spark-submit's JVM, the driver's Python, Spark's daemon and two workers.
    assert len(list(alive(sessions))) >= 6
    begun = time.monotonic()
    job.cancel()
    assert time.monotonic() - begun < 10
    assert list(alive(sessions)) == []
    with pytest.raises(JobFailed, match="was cancelled"):
        job.wait_completion()


def test_a_training_that_cannot_work_says_why(tmp_path: Path) -> None:
    options = ("--conf", "spark.ui.enabled=false")
    with Server(tmp_path, *options, module="distkeras.punchcard.command") as server:
        data = write(server.data / "events")
        trainer = ADAG(model(), "adam", "categorical_crossentropy", features_col="featurs")
        job = send(server, "ann", data, trainer, 1)
        with pytest.raises(JobFailed, match=r"has failed: .*featurs"):
            job.wait_completion(MINUTES)
        assert "featurs" in "".join(job.logs())
        assert not (server.state / "results").exists()
