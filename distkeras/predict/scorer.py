"""A saved model, with what turns raw rows into its features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePath
from typing import Any

from distkeras.errors import ConfigError, StorageError
from distkeras.lean_keras import import_keras
from distkeras.models import check_single, inputs_of, outputs_of
from distkeras.predict.columns import Appended
from distkeras.preprocessing.failures import absent
from distkeras.preprocessing.preprocessor import Preprocessor
from distkeras.scoring import input_width
from distkeras.storage import exists, load_model, locate

__all__ = ["Scorer", "find_scorer"]

MODEL, PREPROCESSOR = "model.keras", "preprocessor.json"


@dataclass(frozen=True)
class Scorer:
    """Made by ``find_scorer``; the model itself is loaded when it is first asked for.

    Attributes:
        url: of the ``.keras`` file.
        preprocessor: None where the rows hold features already.
        features_col: the column that holds them then.
    """

    url: str
    preprocessor: Preprocessor | None
    features_col: str

    @cached_property
    def model(self) -> Any:
        """The Keras model.

        Raises:
            StorageError: it cannot be loaded.
            ConfigError: it has several inputs or outputs, or takes other features.
        """
        import_keras(quietly=True)
        model = load_model(self.url)
        check_single(model, f"--model {self.url}")
        if len(outputs_of(model)[0].shape) > 1:
            raise ConfigError(f"--model {self.url}: its output has more than one axis per row")
        taken = input_width(inputs_of(model)[0])
        made = self.preprocessor.dimension if self.preprocessor else taken
        if taken is not None and taken != made:
            raise ConfigError(
                f"--model {self.url}: takes {taken} numbers a row, {PREPROCESSOR} makes {made}"
            )
        return model

    def check_columns(self, there: Sequence[str]) -> None:
        """Refuses rows that lack a column.

        Raises:
            DataError: names it, and the nearest one that is there.
        """
        needed = self.preprocessor.columns if self.preprocessor else [self.features_col]
        for name in needed:
            if name not in there:
                raise absent("--input", name, there)

    def appended(self, *, flat: bool) -> Appended:
        """The columns that its predictions become; see ``Appended``."""
        width = outputs_of(self.model)[0].shape
        label = self.preprocessor.label if self.preprocessor else None
        classes, kind = (label.classes, label.kind) if label else (None, None)
        return Appended(int(width[-1] or 1) if width else 1, classes, kind, flat)


def find_scorer(url: str, features_col: str) -> Scorer:
    """What stands at a URL, without the model being loaded.

    Args:
        url: a folder with ``model.keras`` and ``preprocessor.json``, or a ``.keras`` file.
        features_col: the column with the features, for a file alone.

    Raises:
        StorageError: there is no such thing.
    """
    place = locate(url)
    if not exists(place):
        raise StorageError(f"--model {url}: does not exist")
    if PurePath(str(place)).suffix == ".keras":
        return Scorer(url, None, features_col)
    for name in (MODEL, PREPROCESSOR):
        if not exists(place / name):
            raise StorageError(
                f"--model {url}: holds no {name}: give a Train task's folder or a .keras file"
            )
    return Scorer(str(place / MODEL), Preprocessor.load(place / PREPROCESSOR), features_col)
