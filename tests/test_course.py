"""What a training is told beside its rows: validate, stop, keep the best; and the accessors."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession

from distkeras import measure
from distkeras.engines.conditions import Breakdown, Conditions, Constant
from distkeras.ensembles import average
from distkeras.errors import ConfigError, DataError, TrainingDiverged
from distkeras.history import Progress
from distkeras.monitor import Validation
from distkeras.stopping import Deadline, NoImprovement, TargetLoss, TargetMetric
from distkeras.trainers import (
    ADAG,
    AEASGD,
    DOWNPOUR,
    EASGD,
    AveragingTrainer,
    EnsembleTrainer,
    SingleTrainer,
    Trainer,
)

ROWS, WIDTH = 320, 4
Rows = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def rows() -> Rows:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, WIDTH)).astype("f4")
    return {"features": x, "label": (x @ [1.0, -1.0, 0.5, 2.0] > 0).astype("f4")}


@pytest.fixture(scope="module")
def frame(spark: SparkSession, rows: Rows) -> DataFrame:
    listed = list(zip(rows["features"].tolist(), rows["label"].tolist(), strict=True))
    return spark.createDataFrame(listed, "features array<float>, label float").cache()


def trainer(kind: type[Trainer] = DOWNPOUR, **changes: Any) -> Trainer:
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Dense(8, "relu"), keras.layers.Dense(2, "softmax")]
    model = keras.Sequential([keras.Input((WIDTH,)), *layers])
    settings = {"num_epoch": 5, "batch_size": 16, **changes}
    return kind(model, keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", **settings)


def test_the_validations_are_what_keras_evaluates(
    rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "PORTION", 100)  # So that they come in several portions.
    made = trainer(communication_window=2)
    model = made.simulate(rows, validation=Validation(rows))
    validations = made.history.validations
    assert len(validations) == 5
    assert [one.epoch for one in validations] == sorted(one.epoch for one in validations)
    assert all(one.epoch == pytest.approx(n, abs=0.2) for n, one in enumerate(validations, 1))
    loss, accuracy = model.evaluate(rows["features"], rows["label"], verbose=0)
    assert list(validations[-1].measures) == ["val_loss", "val_accuracy"]
    assert validations[-1].measures["val_loss"] == pytest.approx(loss, rel=1e-5)
    assert validations[-1].measures["val_accuracy"] == pytest.approx(accuracy)


def test_weights_of_classes_do_not_count_in_the_validation(rows: Rows) -> None:
    made = trainer(class_weight={0: 5.0})
    model = made.simulate(rows, validation=Validation(rows))
    loss = model.evaluate(rows["features"], rows["label"], verbose=0)[0]
    assert made.history.validations[-1].measures["val_loss"] == pytest.approx(loss, rel=1e-5)


def test_the_best_center_is_returned_if_it_is_kept(rows: Rows) -> None:
    upside_down = {**rows, "label": 1 - rows["label"]}
    made = trainer()
    # The longer it learns the rows, the worse it is on their opposite.
    best = made.simulate(rows, validation=Validation(upside_down, keep_best="val_loss"))
    losses = [one.measures["val_loss"] for one in made.history.validations]
    found = best.evaluate(rows["features"], upside_down["label"], verbose=0)[0]
    assert found == pytest.approx(min(losses), rel=1e-5)
    assert losses[-1] > min(losses)


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        (TargetLoss(0.3), "loss 0."),
        (TargetMetric("val_accuracy", 0.9), "val_accuracy "),
        (NoImprovement("val_loss", patience=1, min_delta=0.2), "val_loss no better than"),
        (Deadline(30.0), "30 s have passed"),
    ],
)
def test_a_condition_ends_the_training_in_all_workers(
    rows: Rows, condition: Any, reason: str
) -> None:
    made = trainer(num_epoch=50)
    made.simulate(rows, validation=Validation(rows), stop=[condition])
    assert made.report["stopped"].startswith(reason)
    assert 0 < made.report["rows_merged"] < 50 * ROWS
    # Nobody trains on for more than the window that he was in.
    last = {one.worker: one.timestamp for one in made.history.records}
    assert max(last.values()) - min(last.values()) <= 5


def test_a_synchronous_training_stops_in_the_same_round(rows: Rows) -> None:
    made = trainer(AveragingTrainer, num_epoch=50)
    made.simulate(rows, stop=[Deadline(45.0)])
    windows = [one.window for one in made.history.records]
    assert made.report["stopped"]
    assert windows == sorted([*range(max(windows) + 1)] * 2)


def test_a_stop_in_spark_is_a_normal_end(frame: DataFrame) -> None:
    made = trainer(num_epoch=500)
    model = made.train(
        frame,
        validation=Validation(frame, every_epochs=5),
        stop=[TargetMetric("val_accuracy", 0.95)],
    )
    assert re.match(r"val_accuracy (0\.9|1\b)", made.report["stopped"])
    assert made.report["rows_merged"] < 500 * ROWS
    assert model.count_params() == 58


def test_whoever_watches_may_stop_it(rows: Rows) -> None:
    made = trainer(num_epoch=50)

    def enough(now: Progress) -> None:
        if now.rows > ROWS:
            made.stop("seen enough")

    made.on_progress = enough
    made.simulate(rows)
    assert made.report["stopped"] == "seen enough"


@pytest.mark.parametrize(
    ("course", "complaint"),
    [
        ({"stop": [NoImprovement()]}, "to stop by 'val_loss' train needs a validation"),
        ({"validation": Validation({}, keep_best="val_los")}, "no measure 'val_los'"),
        ({"validation": Validation({"features": np.zeros((3, 4))})}, "no column 'label'"),
        (
            {"validation": Validation({"features": np.zeros((3, 5)), "label": np.zeros(3)})},
            "validation: column 'features': .* 5 ",
        ),
        (
            {"validation": Validation({"features": np.zeros((3, 4)), "label": np.full(3, 5)})},
            "validation: column 'label' has labels from 5 to 5",
        ),
        (
            {"validation": {"features": 1}},
            "validation is {'features': 1}, but must be a Validation",
        ),
        ({"stop": [0.1]}, "stop: 0.1 is no condition"),
        ({"stop": TargetLoss(0.1)}, "stop is TargetLoss.*, but must be a list"),
        ({"conditions": 5}, "conditions is 5, but must be a Conditions"),
        (
            {"validation": Validation({"features": np.zeros((0, 4)), "label": np.zeros(0)})},
            "validation: there are no rows",
        ),
    ],
)
def test_a_course_that_cannot_be_is_refused(
    rows: Rows, course: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        trainer().simulate(rows, **course)


def test_the_members_of_an_ensemble_combine(rows: Rows) -> None:
    made = trainer(EnsembleTrainer, num_ensembles=3, num_epoch=10)
    members = made.simulate(rows)
    assert len(members) == 3
    right = (
        average(members).predict(rows["features"], verbose=0).argmax(1) == rows["label"]
    ).mean()
    assert right > 0.9
    first, second, _ = (np.concatenate([w.ravel() for w in one.get_weights()]) for one in members)
    assert np.abs(first - second).max() > 0.01
    assert made.report["rows_merged"] == 10 * ROWS


def test_an_ensemble_has_no_center_to_measure(rows: Rows) -> None:
    with pytest.raises(ConfigError, match="an EnsembleTrainer has no center"):
        trainer(EnsembleTrainer).simulate(rows, validation=Validation(rows))


def test_a_set_number_of_workers_is_checked_when_it_trains(rows: Rows) -> None:
    for made in (trainer(SingleTrainer), trainer(EnsembleTrainer)):
        made.set_num_workers(3)
        with pytest.raises(ConfigError, match="num_workers is 3"):
            made.simulate(rows)


def test_a_stop_that_comes_before_the_first_window_is_heard(rows: Rows) -> None:
    made = trainer()
    made.on_progress = lambda now: made.stop("at once") if now.phase == "check" else None
    made.simulate(rows)
    assert made.report["stopped"] == "at once"
    assert made.report["rows_merged"] < ROWS


def test_the_drivers_copy_of_the_validation_is_given_back(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    trainer(num_epoch=1, memory_mb=0.001).simulate(rows, validation=Validation(rows))
    assert list(tmp_path.iterdir()) == []


def test_what_is_got_can_be_set_again() -> None:
    for made in (trainer(), trainer(AveragingTrainer), trainer(AEASGD)):
        made.set_learning_rate(made.get_learning_rate())
        made.set_communication_window(made.get_communication_window())
        made.set_max_prefetch(made.get_max_prefetch())
        made.set_compression(made.get_compression())
        made.set_overlap(made.get_overlap())


def test_a_training_that_diverged_leaves_its_history(rows: Rows) -> None:
    made = trainer(DOWNPOUR, num_epoch=1)
    made.simulate(rows)
    wild = {**rows, "features": rows["features"] * np.float32(1e30)}
    with pytest.raises(TrainingDiverged):
        made.simulate(wild)
    assert made.report["rows_merged"] < ROWS


@pytest.mark.parametrize("dtype", ["f2", ">f4", "f8", "i1", "?"])
def test_arrays_of_any_number_type_are_rows(dtype: str) -> None:
    x = (np.arange(32 * WIDTH).reshape(32, WIDTH) % 2).astype(dtype)
    made = trainer(ADAG, num_epoch=1)
    made.simulate({"features": x, "label": np.arange(32, dtype="i4") % 2})
    assert made.report["rows_merged"] == 32


def test_a_synchronous_rule_needs_a_slot_for_each_worker(frame: DataFrame) -> None:
    complaint = "num_workers is 3, and all must run at the same time, but Spark has 2 task slots"
    with pytest.raises(ConfigError, match=complaint):
        trainer(AveragingTrainer, num_workers=3).train(frame)


def test_more_shares_than_workers_are_each_trained(frame: DataFrame) -> None:
    made = trainer(ADAG, parallelism_factor=3, num_epoch=1)
    made.train(frame)
    assert {one.worker for one in made.history.records} == set(range(6))
    assert made.report["rows_merged"] == ROWS


def test_rows_made_ahead_are_the_same_rows(rows: Rows) -> None:
    plain, ahead = (trainer(SingleTrainer, max_prefetch=depth) for depth in (0, 3))
    one, other = (made.simulate(rows).get_weights() for made in (plain, ahead))
    for here, there in zip(one, other, strict=True):
        np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("compression", ["bfloat16", "int8", "top-k:0.1"])
def test_a_training_with_packed_vectors_learns(rows: Rows, compression: str) -> None:
    made = trainer(DOWNPOUR, compression=compression, num_epoch=10)
    model = made.simulate(rows)
    right = model.predict(rows["features"], verbose=0).argmax(1) == rows["label"]
    assert right.mean() > 0.85
    assert made.report["rows_merged"] == 10 * ROWS


def test_a_broken_down_worker_costs_no_rows(rows: Rows) -> None:
    made = trainer(ADAG)
    broken = Conditions(Constant(1.0), breakdowns=(Breakdown(0, 17.0, 3.0), Breakdown(1, 30.0)))
    made.simulate(rows, broken)
    assert made.report["rows_merged"] == 5 * ROWS
    assert made.report["virtual_seconds"] > 50


def test_the_history_of_each_worker_and_of_all(rows: Rows) -> None:
    made = trainer(num_epoch=2)
    assert not made.has_history()
    made.simulate(rows)
    assert made.has_history()
    assert made.get_history() is made.history
    assert {one.worker for one in made.get_executor_history(1)} == {1}
    assert set(made.get_averaged_history()) >= {"window", "loss", "accuracy"}
    assert made.num_updates() == len(made.history.records)
    assert made.get_training_time() > 0
    with pytest.raises(ConfigError, match="worker 7 has no windows"):
        made.get_executor_history(7)


def test_what_is_set_is_got_and_used(rows: Rows) -> None:
    made = trainer()
    for name, value in {
        "minibatch_size": 32,
        "num_epoch": 1,
        "num_workers": 4,
        "learning_rate": 0.5,
        "communication_window": 3,
        "parallelism_factor": 2,
        "max_prefetch": 1,
        "compression": "int8",
        "overlap": True,
        "features_column": "features",
        "label_column": "label",
    }.items():
        getattr(made, f"set_{name}")(value)
        assert getattr(made, f"get_{name}")() == value
    made.set_model(trainer().keras_model)
    model = made.simulate(rows)
    assert {one.worker for one in made.history.records} == set(range(8))
    assert float(model.optimizer.learning_rate) == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("setting", "complaint"),
    [
        (lambda made: made.set_minibatch_size(0), "minibatch_size is 0"),
        (lambda made: made.set_num_workers(-1), "num_workers is -1"),
        (lambda made: made.set_num_epoch(1.5), "num_epoch is 1.5"),
        (lambda made: made.set_learning_rate(-0.1), "learning_rate is -0.1"),
        (lambda made: made.set_communication_window(0), "communication_window is 0"),
        (lambda made: made.set_parallelism_factor(0), "parallelism_factor is 0"),
        (lambda made: made.set_max_prefetch(-1), "max_prefetch is -1"),
        (lambda made: made.set_overlap(1), "overlap is 1, but must be True or False"),
    ],
)
def test_a_setter_checks_as_the_constructor_does(
    setting: Callable[[Trainer], None], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        setting(trainer())


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: trainer(AveragingTrainer, parallelism_factor=2), "parallelism_factor is 2"),
        (lambda: trainer(EASGD, num_workers=4), "num_workers=4|4 workers|n = 4|workers"),
        (lambda: trainer(AEASGD, rho=20.0), "rho . learning_rate = 20.0"),
        (lambda: trainer(EnsembleTrainer, num_ensembles=0), "num_ensembles is 0"),
        (lambda: trainer(EnsembleTrainer, num_workers=2), "num_ensembles, not num_workers"),
        (lambda: trainer(EnsembleTrainer, parallelism_factor=2), "parallelism_factor is 2"),
        (lambda: trainer(SingleTrainer, parallelism_factor=2), "parallelism_factor is 2"),
        (lambda: trainer(custom_objects=5), "custom_objects is 5"),
        (lambda: trainer(learning_rate=lambda: 0.1), "learning_rate is <function"),
        (lambda: Conditions(compute=0.5), "compute is 0.5, but must be a Duration"),
        (lambda: Conditions(service=0.5), "service is 0.5, but must be a Duration"),
        (lambda: Conditions(slowdown={0: "2"}), "slowdown of worker 0 is '2'"),
        (lambda: trainer(master_port=70000), "master_port is 70000"),
        (lambda: trainer(max_prefetch=-1), "max_prefetch is -1"),
        (lambda: trainer(round_timeout=0), "round_timeout is 0"),
        (lambda: trainer(overlap="yes"), "overlap is 'yes', but must be True or False"),
        (lambda: trainer(EASGD, overlap=True), "overlap is True, but EASGD's workers wait"),
        (lambda: trainer(AveragingTrainer, overlap=True), "overlap is True, but Averaging's"),
        (lambda: trainer(SingleTrainer, overlap=True), "overlap is True, but must be False: the w"),
        (
            lambda: trainer(EnsembleTrainer, overlap=True),
            "overlap is True, but must be False: the w",
        ),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(
    make: Callable[[], object], complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        make()


def test_overlap_that_is_set_later_is_checked_before_anything_runs(rows: Rows) -> None:
    made = trainer(AveragingTrainer)
    made.set_overlap(True)
    told: list[Progress] = []
    made.on_progress = told.append
    with pytest.raises(ConfigError, match="overlap is True, but Averaging's workers wait"):
        made.train(rows)
    assert told == []


def test_what_is_no_rows_is_refused_by_its_type() -> None:
    with pytest.raises(ConfigError, match="the rows are a list, but must be"):
        trainer().train([1, 2, 3])
    with pytest.raises(DataError, match="different numbers of rows"):
        trainer().train({"features": np.zeros((3, 4)), "label": np.zeros(2)})
