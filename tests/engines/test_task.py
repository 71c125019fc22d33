"""The code of a partition, with a list in place of Spark and a real server on a real port."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pyarrow as pa
import pytest

from distkeras.compilation import config_of
from distkeras.engines import task
from distkeras.engines.task import Job, fill, run
from distkeras.errors import DataError, TrainingDiverged
from distkeras.names import KEY, Columns
from distkeras.replica import Replica, ReplicaSpec
from distkeras.rules import downpour
from distkeras.schedule import Schedule
from distkeras.server import ParameterServer
from distkeras.spool import Spool
from distkeras.transport.tcp import TcpServer
from distkeras.worker import Assignment

TOKEN = b"t" * 32
COLUMNS = Columns()


def batches(features: list[Any], labels: list[Any], size: int = 4) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(features), size):
        part = slice(start, start + size)
        keys = np.arange(len(features))[part]
        yield pa.RecordBatch.from_pydict(
            {
                KEY: pa.array(keys, pa.int64()),
                "x0": pa.array(features[part], pa.list_(pa.float32())),
                "y0": pa.array(labels[part], pa.int32()),
            }
        )


@pytest.fixture(scope="module")
def job() -> Job:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, "softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    config = json.dumps(keras.saving.serialize_keras_object(model))
    spec = ReplicaSpec(config, batch_size=4, window=3, jit=False)
    layout = Replica(spec).layout
    schedule = Schedule(4, 3, epochs=2, seed=0)
    return Job(spec, downpour(), schedule, layout, COLUMNS, memory=2**20, token=TOKEN)


@pytest.fixture
def server(job: Job) -> Iterator[TcpServer]:
    center = np.zeros(job.layout.size, np.float32)
    with TcpServer(ParameterServer(center, job.rule, ("loss", "accuracy"), 4), TOKEN) as tcp:
        yield tcp


def at(tcp: TcpServer, job: Job) -> Job:
    return replace(job, address=tcp.address)


def state(tcp: TcpServer) -> ParameterServer:
    return tcp._server


def test_a_partition_is_trained_to_its_end(job: Job, server: TcpServer) -> None:
    features = np.random.default_rng(0).normal(size=(30, 2)).tolist()
    assert run(batches(features, [0, 1] * 15), at(server, job), Assignment(1, 7)) == 6
    assert state(server).rows_merged == 60
    assert state(server).unfinished == []
    assert {record.worker for record in state(server).history} == {1}


def test_a_class_of_the_users_that_has_changed_since_is_not_kept(job: Job) -> None:
    def trained(times: float) -> list[float]:
        class Scaled(keras.layers.Layer):
            def call(self, inputs: Any) -> Any:
                return inputs * times

        keras.utils.clear_session()
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.Input((3,)), Scaled(name="own"), keras.layers.Dense(1)])
        model.compile(keras.optimizers.SGD(0.1), "mse")
        spec = replace(job.spec, config=config_of(model), custom_objects={"Scaled": Scaled})
        replica = task._replica(replace(job, spec=spec), Assignment(0, 0))
        rows = {"x0": np.ones((4, 3), np.float32), "y0": np.ones(4, np.float32)}
        return replica.run(np.zeros(4, np.float32), rows).weights.tolist()

    assert trained(1.0) != trained(2.0)


def test_a_replica_is_built_once_and_starts_as_new(job: Job, server: TcpServer) -> None:
    from distkeras.engines import task

    features = np.random.default_rng(0).normal(size=(30, 2)).tolist()
    run(batches(features, [0, 1] * 15), at(server, job), Assignment(0, 0))
    replica = next(iter(task._kept.values()))
    first = [record.metrics for record in state(server).history]
    center = np.zeros(job.layout.size, np.float32)
    with TcpServer(ParameterServer(center, job.rule, ("loss", "accuracy"), 4), TOKEN) as again:
        run(batches(features, [0, 1] * 15), at(again, job), Assignment(0, 0))
        assert next(iter(task._kept.values())) is replica
        assert [record.metrics for record in state(again).history] == first


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        ([[1.0, 2.0], [1.0, float("nan")]], [0, 1], "'features': row 1 holds nan at position 1"),
        ([[1.0, 2.0], [1.0, float("inf")]], [0, 1], "'features': row 1 holds inf"),
        ([[1.0, 2.0], None], [0, 1], "'features': row 1 is null"),
        ([[1.0, 2.0], [1.0, None]], [0, 1], "'features': row 1 holds a null"),
        ([[1.0, 2.0], [1.0]], [0, 1], "'features': row 1 has 1 values"),
        ([[1.0, 2.0]] * 4 + [[1.0]], [0] * 5, "'features': row 4 has 1 values"),
        ([[1.0, 2.0], [1.0, 2.0]], [0, None], "'label': row 1 is null"),
        ([], [], "worker 3 got no rows"),
    ],
)
def test_bad_rows_end_the_worker_and_are_reported(
    job: Job, server: TcpServer, features: list[Any], labels: list[Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        run(batches(features, labels), at(server, job), Assignment(3, 0))
    (failure,) = state(server).failures
    assert (failure.partition, failure.error) == (3, "DataError")
    assert "Traceback" in failure.details
    assert state(server).rows_merged == 0


def test_a_loss_that_is_not_finite_names_the_window(job: Job, server: TcpServer) -> None:
    features = [[3e38, -3e38]] * 30
    with pytest.raises(TrainingDiverged, match=r"nan at worker 0, epoch 0, window 0"):
        run(batches(features, [0, 1] * 15), at(server, job), Assignment(0, 0))
    assert state(server).failures[0].error == "TrainingDiverged"


def test_rows_arriving_in_another_order_are_the_same_rows() -> None:
    features = [[float(i), 0.0] for i in range(9)]
    arrived = list(batches(features, list(range(9)), size=2))
    with Spool(2**20) as first, Spool(2**20) as second:
        fill(first, iter(arrived), COLUMNS)
        fill(second, iter(arrived[::-1]), COLUMNS)
        everything = np.arange(9)
        np.testing.assert_array_equal(first.take(everything)["x0"], second.take(everything)["x0"])
        np.testing.assert_array_equal(second.take(everything)["y0"], np.arange(9))


def test_a_job_does_not_print_its_token(job: Job) -> None:
    assert "t" * 32 not in repr(job)


def spooled(columns: Columns, batch: dict[str, Any], dtypes: Any = ()) -> dict[str, np.ndarray]:
    with Spool(2**20) as rows:
        keys = {KEY: list(range(len(next(iter(batch.values())))))}
        fill(rows, iter([pa.RecordBatch.from_pydict(keys | batch)]), columns, dtypes)
        return rows.take(np.arange(len(rows)))


def test_several_columns_and_the_weights_of_rows() -> None:
    columns = Columns(("numbers", "words"), ("size", "kind"), "weight")
    batch = {
        "x0": [[0.5, 1.5], [2.5, 3.5]],
        "x1": [2.0**30 + 1, 7.0],
        "y0": [0.25, 0.5],
        "y1": [[1, 0], [0, 1]],
        "w": [0, 2],
    }
    types = [np.dtype("float32"), np.dtype("int32")]
    found = spooled(columns, batch, types)
    assert {name: str(values.dtype) for name, values in found.items()} == {
        **dict.fromkeys(batch, "float32"),
        "x1": "int32",
    }
    for name, values in batch.items():
        np.testing.assert_array_equal(found[name], values)
    with pytest.raises(DataError, match=r"'words': row 1 holds 7\.5, which is not a whole number"):
        spooled(columns, batch | {"x1": [1.0, 7.5]}, types)
    with pytest.raises(DataError, match=r"'weight': row 1 has the weight -2, below 0"):
        spooled(columns, batch | {"w": [1.0, -2.0]})
    with pytest.raises(DataError, match="'weight': row 0 holds nan"):
        spooled(columns, batch | {"w": [float("nan"), 1.0]})
