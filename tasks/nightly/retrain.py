"""Training that starts where an earlier one has ended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import luigi

from distkeras.errors import ConfigError
from distkeras.storage import Place, load_model, locate, sha256
from tasks.nightly.warm_start import carried
from tasks.progress import Reporter
from tasks.train import Train

if TYPE_CHECKING:
    from distkeras.preprocessing.preprocessor import Preprocessor

__all__ = ["Retrain"]


class Retrain(Train):
    """``Train``, from the weights of a model that was trained before.

    Where the two are of different makes, because the config has changed, it starts from new
    weights; ``started`` in the manifest says so, and why.
    """

    code_version = 1

    start = luigi.Parameter(
        default="",
        positional=False,
        description="The directory of the model to start from; empty: from new weights.",
    )

    def own_parts(self) -> dict[str, Any]:
        """As Train's, and the model to start from."""
        start = sha256(locate(self.start) / "model.keras") if self.start else None
        return super().own_parts() | {"start": start}

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Trains; see ``Train``."""
        self._started = "from new weights"
        return {**super().produce(staging, report), "started": self._started}

    def initial_model(self, preprocessor: Preprocessor) -> Any:
        """The config's model with the trained weights."""
        from distkeras.preprocessing.preprocessor import Preprocessor

        model = super().initial_model(preprocessor)
        if not self.start:
            return model
        place = locate(self.start)
        names = Preprocessor.load(place / "preprocessor.json").feature_names
        old = load_model(place / "model.keras").get_weights()
        try:
            found = carried(old, names, model.get_weights(), preprocessor.feature_names)
        except ConfigError as error:
            self._started = f"from new weights: {error}"
            return model
        model.set_weights(found)
        self._started = f"from the weights of {place.name}"
        return model
