"""``num_parameter_servers=`` of the trainers, as a user meets it."""

from __future__ import annotations

import pytest

from distkeras.errors import ConfigError
from distkeras.trainers import ADAG, TRAINERS, EnsembleTrainer, SingleTrainer, Trainer

ALONE = {"EnsembleTrainer", "SingleTrainer"}


@pytest.mark.parametrize("name", sorted(set(TRAINERS) - ALONE))
def test_every_trainer_that_shares_takes_it(name: str) -> None:
    made = TRAINERS[name](None, num_parameter_servers=3)
    assert made.get_num_parameter_servers() == 3
    made.set_num_parameter_servers(1)
    assert made.num_parameter_servers == TRAINERS[name](None).num_parameter_servers == 1


@pytest.mark.parametrize("kind", [EnsembleTrainer, SingleTrainer])
def test_workers_that_share_nothing_have_one(kind: type[Trainer]) -> None:
    said = f"num_parameter_servers is 2, but must be 1: the workers of {kind.__name__} share"
    with pytest.raises(ConfigError, match=said):
        kind(None, num_parameter_servers=2)


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "two", None])
def test_another_value_is_quoted_by_constructor_and_setter(wrong: object) -> None:
    said = f"num_parameter_servers is {wrong!r}, but must be a whole number of at least 1"
    with pytest.raises(ConfigError, match=said):
        ADAG(None, num_parameter_servers=wrong)
    with pytest.raises(ConfigError, match=said):
        ADAG(None).set_num_parameter_servers(wrong)
