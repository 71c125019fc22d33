"""The weights of one model as the first ones of another, whose features may be others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from distkeras.errors import ConfigError

__all__ = ["carried"]

Weights = Sequence[np.ndarray]


def carried(old: Weights, names: Sequence[str], fresh: Weights, wanted: Sequence[str]) -> Weights:
    """A trained model's weights, for a model of the same make on features of other names.

    The first array has a row for each feature: those go by name, and a feature that is new keeps
    the row that it was drawn. All others stay as they were trained.

    Args:
        old: of the trained model.
        names: of its features, in their order.
        fresh: of the new model, as drawn.
        wanted: of its features, in their order.

    Raises:
        ConfigError: the models are of different makes.
    """
    same = [one.shape for one in old] == [one.shape for one in fresh]
    if same and list(names) == list(wanted):
        return old
    _check(old, names, fresh, wanted)
    first = fresh[0].copy()
    place = {name: row for row, name in enumerate(names)}
    for row, name in enumerate(wanted):
        if name in place:
            first[row] = old[0][place[name]]
    return [first, *old[1:]]


def _check(old: Weights, names: Sequence[str], fresh: Weights, wanted: Sequence[str]) -> None:
    if len(old) != len(fresh):
        raise ConfigError(f"the model has {len(fresh)} weights, the one to start from {len(old)}")
    shapes = [one.shape for one in old], [one.shape for one in fresh]
    for place, (before, now) in enumerate(zip(*shapes, strict=True)):
        by_feature = (before[:1], now[:1]) == ((len(names),), (len(wanted),))
        if place == 0 and by_feature and before[1:] == now[1:]:
            continue
        if place == 0 or before != now:
            raise ConfigError(
                f"weight {place} has shape {now}, that of the model to start from {before}"
            )
