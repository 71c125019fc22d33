"""``compression=`` of the trainers, as a user meets it."""

from __future__ import annotations

import pytest

from distkeras.errors import ConfigError
from distkeras.trainers import ADAG, TRAINERS, EnsembleTrainer, SingleTrainer, Trainer

GOOD = (None, "none", "bfloat16", "int8", "top-k", "top-k:0.05")


@pytest.mark.parametrize("name", sorted(set(TRAINERS) - {"SingleTrainer"}))
@pytest.mark.parametrize("asked", GOOD)
def test_every_trainer_that_shares_takes_it(name: str, asked: str | None) -> None:
    made = TRAINERS[name](None, compression=asked)
    assert made.get_compression() == asked
    made.set_compression(None)
    assert made.compression is None


@pytest.mark.parametrize("kind", [EnsembleTrainer, SingleTrainer])
def test_workers_that_share_nothing_pack_nothing(kind: type[Trainer]) -> None:
    assert kind(None, compression="none").get_compression() == "none"
    complaint = "compression is 'int8', but must be None: the workers of "
    with pytest.raises(ConfigError, match=f"{complaint}{kind.__name__} share nothing"):
        kind(None, compression="int8")


def test_another_value_is_quoted_by_constructor_and_setter() -> None:
    complaint = 'compression is \'zip\', but must be None, "bfloat16", "int8", "top-k" or'
    with pytest.raises(ConfigError, match=complaint):
        ADAG(None, compression="zip")
    made = ADAG(None, compression="int8")
    with pytest.raises(ConfigError, match=complaint):
        made.set_compression("zip")
    assert made.compression == "int8"
