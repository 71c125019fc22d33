"""Spark, processes of this machine and virtual workers come to the same center."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession

from distkeras.engines.conditions import Conditions, Exponential
from distkeras.trainers import ADAG, AEASGD, EAMSGD, AveragingTrainer, DiLoCo, Trainer

ROWS, WIDTH = 75, 3


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, WIDTH)).astype("f4")
    return {"features": x, "label": (x @ [1.0, -1.0, 0.5]).astype("f4")}


def model() -> Any:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(5, "tanh"), keras.layers.Dense(1)]
    return keras.Sequential([keras.Input((WIDTH,)), *layers])


def trainer(kind: type[Trainer], **changes: Any) -> Trainer:
    settings: dict[str, Any] = {"batch_size": 8, "num_epoch": 2, "seed": 5, "metrics": []}
    return kind(model(), keras.optimizers.SGD(0.05), "mse", **settings | changes)


def weights(trained: Any) -> np.ndarray:
    return np.concatenate([array.ravel() for array in trained.get_weights()])


def in_spark(spark: SparkSession, rows: dict[str, np.ndarray]) -> Any:
    listed = list(zip(rows["features"].tolist(), rows["label"].tolist(), strict=True))
    return spark.createDataFrame(listed, "features array<float>, label float").coalesce(1)


@pytest.mark.parametrize(
    "make",
    [
        lambda: trainer(ADAG, num_workers=1, communication_window=3),
        lambda: trainer(ADAG, num_workers=1, communication_window=3, overlap=True),
        lambda: trainer(AEASGD, num_workers=1, communication_window=3, overlap=True),
        lambda: trainer(AveragingTrainer, num_workers=2),
        lambda: trainer(DiLoCo, num_workers=2, communication_window=2),
        lambda: trainer(AveragingTrainer, num_workers=2, compression="bfloat16"),
        lambda: trainer(AEASGD, num_workers=1, compression="int8", overlap=True),
    ],
    ids=[
        "one worker",
        "one that trains on while it exchanges",
        "likewise, on a spring",
        "an average each epoch",
        "a synchronous rule with state",
        "what travels is packed",
        "packed, and while the next window is trained",
    ],
)
def test_the_three_engines_come_to_the_same_center(
    spark: SparkSession, rows: dict[str, np.ndarray], make: Any
) -> None:
    simulated = weights(make().simulate(rows, Conditions(Exponential(1.0))))
    np.testing.assert_allclose(weights(make().train(rows)), simulated, atol=1e-6)
    np.testing.assert_allclose(weights(make().train(in_spark(spark, rows))), simulated, atol=1e-6)


def test_rows_in_memory_may_come_as_pandas_arrow_or_arrays(rows: dict[str, np.ndarray]) -> None:
    listed = {"features": list(rows["features"]), "label": rows["label"]}
    forms = [rows, pd.DataFrame(listed), pa.table(pd.DataFrame(listed))]
    one, *others = [weights(trainer(ADAG).simulate(form)) for form in forms]
    for other in others:
        np.testing.assert_array_equal(one, other)


def test_eamsgd_whose_spring_is_loose_is_keras_own_nesterov_sgd(
    rows: dict[str, np.ndarray],
) -> None:
    # With rho so small that alpha vanishes in float32, only the local steps are left.
    loose = trainer(EAMSGD, num_workers=1, rho=1e-30, num_epoch=3, momentum=0.8)
    built = loose.simulate(rows)
    assert (built.optimizer.momentum, built.optimizer.nesterov) == (0.8, True)
    alone = model()
    alone.compile(keras.optimizers.SGD(0.05, 0.8, nesterov=True), "mse")
    order = [np.random.default_rng([5, 0, epoch]).permutation(ROWS) for epoch in range(3)]
    losses = []
    for epoch in order:
        x, y = rows["features"][epoch], rows["label"][epoch, None]
        losses.append(alone.fit(x, y, 8, shuffle=False, verbose=0).history["loss"][0])
    told = [one.metrics[0] * one.samples for one in loose.history.records]
    np.testing.assert_allclose(sum(told) / (3 * ROWS), np.mean(losses), rtol=1e-5)


def test_a_worker_process_that_raises_is_named_and_leaves_nothing(
    rows: dict[str, np.ndarray],
) -> None:
    bad = {**rows, "label": np.where(np.arange(ROWS) == 70, np.nan, rows["label"])}
    with pytest.raises(ValueError, match=r"column .label.: row .* holds nan"):
        trainer(ADAG).train(bad)


def test_what_cannot_travel_to_a_process_is_refused_in_one_line(
    rows: dict[str, np.ndarray],
) -> None:
    class Own(keras.callbacks.Callback):
        """Defined where no other process can import it."""

    with pytest.raises(ValueError, match="a worker process cannot be given what it needs"):
        trainer(ADAG, callbacks=[Own()]).train(rows)
