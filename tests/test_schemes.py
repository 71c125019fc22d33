"""The emperor lowers the learning rate of real trainers when the validation loss stalls."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from distkeras.engines.conditions import Conditions, Constant
from distkeras.errors import ConfigError, TrainingDiverged
from distkeras.schemes import Emperor
from distkeras.trainers import AEASGD, DOWNPOUR, EnsembleTrainer, SingleTrainer, Trainer

ROWS = 24
VIRTUAL = Conditions()


@pytest.fixture(scope="module")
def rows() -> dict[str, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(ROWS, 2)).astype("f4")
    return {"features": x, "label": (x @ [1.0, -2.0]).astype("f4")}


def trainer(kind: type[Trainer] = SingleTrainer, rate: float = 0.1, **changes: Any) -> Trainer:
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    settings = {"metrics": ["mae"], "batch_size": ROWS, "num_epoch": 7} | changes
    return kind(model, keras.optimizers.SGD(rate), "mse", **settings)


def losses(emperor: Emperor) -> list[float]:
    return [reign.val_loss for reign in emperor.history]


def rates(emperor: Emperor) -> list[float]:
    return [reign.learning_rate for reign in emperor.history]


def loss_of(model: Any, rows: dict[str, np.ndarray]) -> float:
    found = model.predict(rows["features"], verbose=0)[:, 0]
    return float(np.mean((found - rows["label"]) ** 2))


def test_an_epoch_is_gradient_descent_at_the_rate_of_its_time(rows: dict[str, np.ndarray]) -> None:
    """One mini-batch of all rows: W <- W - eta 2/n X'(XW - y), by hand."""
    lowered = Emperor(trainer(), num_epoch=4, factor=0.5, min_delta=100.0)
    x, y = rows["features"], rows["label"][:, None]
    weights = lowered.trainer.keras_model.get_weights()[0]
    trained = lowered.optimize(rows, rows, conditions=VIRTUAL)
    # The first loss is better than none; after that nothing improves by 100.
    for rate in (0.1, 0.1, 0.05, 0.025):
        weights = weights - rate * 2 / ROWS * x.T @ (x @ weights - y)
    assert rates(lowered) == pytest.approx([0.1, 0.1, 0.05, 0.025])
    np.testing.assert_allclose(trained.get_weights()[0], weights, atol=1e-5)


def test_the_rate_stays_while_the_loss_falls(rows: dict[str, np.ndarray]) -> None:
    emperor = Emperor(trainer(), num_epoch=5, min_delta=0.0)
    emperor.optimize(rows, rows, conditions=VIRTUAL)
    assert rates(emperor) == pytest.approx([0.1] * 5)
    assert losses(emperor) == sorted(losses(emperor), reverse=True)


def test_it_waits_for_its_patience_and_not_below_the_least_rate(
    rows: dict[str, np.ndarray],
) -> None:
    emperor = Emperor(trainer(), 8, patience=2, min_delta=100.0, min_learning_rate=0.005)
    emperor.optimize(rows, rows, conditions=VIRTUAL)
    assert rates(emperor) == pytest.approx([0.1] * 3 + [0.01] * 2 + [0.005] * 3)


def test_a_rate_too_high_is_lowered_and_the_best_model_returned(
    rows: dict[str, np.ndarray],
) -> None:
    emperor = Emperor(trainer(rate=2.0), num_epoch=6, factor=0.1)
    best = emperor.optimize(rows, rows, conditions=VIRTUAL)
    assert losses(emperor)[1] > losses(emperor)[0]
    assert min(losses(emperor)) == pytest.approx(loss_of(best, rows), rel=1e-4)
    assert rates(emperor)[-1] < 2.0


def test_a_model_that_became_worse_is_not_returned(rows: dict[str, np.ndarray]) -> None:
    emperor = Emperor(trainer(rate=2.0), num_epoch=3, factor=0.9)
    best = emperor.optimize(rows, rows, conditions=VIRTUAL)
    assert losses(emperor) == sorted(losses(emperor))
    assert loss_of(best, rows) == pytest.approx(losses(emperor)[0], rel=1e-4)


def test_the_rate_of_an_elastic_rule_is_left_alone(rows: dict[str, np.ndarray]) -> None:
    elastic = trainer(AEASGD, rate=0.2, learning_rate=0.1, batch_size=4)
    emperor = Emperor(elastic, num_epoch=3, factor=0.5, min_delta=100.0)
    told: list[float] = []
    elastic.on_progress = lambda now: told.append(elastic.learning_rate)
    emperor.optimize(rows, rows, conditions=VIRTUAL)
    assert rates(emperor) == pytest.approx([0.2, 0.2, 0.1])
    assert set(told) == {0.1}


def test_the_trainers_own_learning_rate_counts_where_it_is_the_optimizers(
    rows: dict[str, np.ndarray],
) -> None:
    emperor = Emperor(trainer(learning_rate=0.03), num_epoch=2, min_delta=100.0)
    emperor.optimize(rows, rows, conditions=VIRTUAL)
    assert rates(emperor) == pytest.approx([0.03, 0.03])


def test_epochs_differ_in_their_order_and_repeat_bit_for_bit(rows: dict[str, np.ndarray]) -> None:
    def run() -> tuple[Any, list[int]]:
        mine, seeds = trainer(DOWNPOUR, batch_size=2), []
        mine.on_progress = lambda now: seeds.append(mine.seed)
        model = Emperor(mine, num_epoch=3).optimize(rows, rows, conditions=VIRTUAL)
        return model, seeds

    (first, seeds), (second, _) = run(), run()
    np.testing.assert_array_equal(first.get_weights()[0], second.get_weights()[0])
    assert len(set(seeds)) == 3


def test_the_history_tells_the_rest(rows: dict[str, np.ndarray]) -> None:
    emperor = Emperor(trainer(DOWNPOUR, batch_size=4, communication_window=2), num_epoch=2)
    emperor.optimize(rows, rows, conditions=Conditions(Constant(0.5)))
    assert [reign.epoch for reign in emperor.history] == [0, 1]
    for reign in emperor.history:
        assert set(reign.measures) == {"val_loss", "val_mae"}
        # 24 rows: 2 workers of 3 mini-batches of half a second, in 2 windows each.
        assert (reign.updates, reign.seconds) == (4, 1.5)
        assert reign.loss > 0
    emperor.optimize(rows, rows, conditions=VIRTUAL)
    assert len(emperor.history) == 2


def test_the_trainer_is_given_back_as_it_was(rows: dict[str, np.ndarray]) -> None:
    mine = trainer(learning_rate=0.5, seed=3)
    before = (
        mine.keras_model,
        mine.worker_optimizer,
        mine.num_epoch,
        mine.learning_rate,
        mine.seed,
    )
    weights = mine.keras_model.get_weights()[0].copy()
    emperor = Emperor(mine, num_epoch=2)
    emperor.optimize(rows, rows, conditions=VIRTUAL)
    bad = {**rows, "label": np.full(ROWS, 1e30, "f4")}
    with pytest.raises(TrainingDiverged):
        emperor.optimize(bad, rows, conditions=VIRTUAL)
    after = (mine.keras_model, mine.worker_optimizer, mine.num_epoch, mine.learning_rate, mine.seed)
    assert all(mine is theirs for mine, theirs in zip(after, before, strict=True))
    np.testing.assert_array_equal(mine.keras_model.get_weights()[0], weights)


def test_whoever_stops_the_training_stops_the_emperor(rows: dict[str, np.ndarray]) -> None:
    mine = trainer(DOWNPOUR, batch_size=2, communication_window=1)
    mine.on_progress = lambda now: mine.stop() if now.rows >= 8 else None
    emperor = Emperor(mine, num_epoch=5)
    assert isinstance(emperor.optimize(rows, rows, conditions=VIRTUAL), keras.Model)
    assert len(emperor.history) == 1


def test_on_spark(spark: Any, rows: dict[str, np.ndarray]) -> None:
    listed = list(zip(rows["features"].tolist(), rows["label"].tolist(), strict=True))
    frame = spark.createDataFrame(listed, "features array<float>, label float").cache()
    emperor = Emperor(trainer(), num_epoch=3, factor=0.5, min_delta=100.0)
    best = emperor.optimize(frame, frame)
    assert rates(emperor) == pytest.approx([0.1, 0.1, 0.05])
    assert loss_of(best, rows) == pytest.approx(losses(emperor)[-1], rel=1e-4)
    assert emperor.history[0].seconds > 0


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        ({"num_epoch": 0}, "num_epoch is 0"),
        ({"factor": 1}, r"factor is 1, but must be in \(0, 1\)"),
        ({"factor": 0.0}, "factor is 0.0"),
        ({"patience": 1.5}, "patience is 1.5"),
        ({"min_delta": -0.1}, "min_delta is -0.1"),
        ({"min_delta": "a"}, "min_delta is 'a'"),
        ({"min_learning_rate": 0}, "min_learning_rate is 0"),
    ],
)
def test_arguments_that_cannot_work_are_quoted(wrong: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Emperor(trainer(), **wrong)


def test_what_has_no_rate_to_lower_is_refused(rows: dict[str, np.ndarray]) -> None:
    mine = trainer()
    mine.worker_optimizer = keras.optimizers.SGD(keras.optimizers.schedules.CosineDecay(0.1, 10))
    with pytest.raises(ConfigError, match="is a schedule, which Emperor cannot lower"):
        Emperor(mine).optimize(rows, rows, conditions=VIRTUAL)
    with pytest.raises(ConfigError, match=r"min_learning_rate is 0.5, above .* learning rate, 0.1"):
        Emperor(trainer(), min_learning_rate=0.5).optimize(rows, rows, conditions=VIRTUAL)
    for wrong, name in ((trainer(EnsembleTrainer), "EnsembleTrainer"), ("ADAG", "str")):
        with pytest.raises(ConfigError, match=f"trainer is {name}, but must be a trainer of one"):
            Emperor(wrong)  # type: ignore[arg-type]
