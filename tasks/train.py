"""Parquet into a trained model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distkeras.checkpoints import Checkpoint
from distkeras.storage import Place, save_model, spark_url
from tasks.base import ExperimentTask
from tasks.console import import_keras
from tasks.keys import train_parts
from tasks.preprocess import Preprocess
from tasks.progress import Reporter

__all__ = ["Train"]


class Train(ExperimentTask):
    """``model.keras``, ``preprocessor.json``, ``history.parquet`` and ``manifest.json``."""

    code_version = 1

    def own_parts(self) -> dict[str, Any]:
        """``[train]`` and the model's source."""
        return train_parts(self.experiment)

    def requires(self) -> dict[str, ExperimentTask]:
        """The normalized data."""
        return {"preprocess": Preprocess(**self.arguments())}

    def run(self) -> None:
        """Trains, or goes on training where a killed run was."""
        super().run()
        if (checkpoint := self._checkpoint()) is not None:
            checkpoint.remove()

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Trains on the training split."""
        from distkeras.preprocessing.preprocessor import Preprocessor
        from tasks.models import make_model, make_trainer

        data = self.input()["preprocess"].place
        report.phase("loading Keras")
        import_keras()
        report.phase("building the model")
        preprocessor = Preprocessor.load(data / "preprocessor.json")
        trainer = make_trainer(self.experiment, make_model(self.experiment, preprocessor))
        trainer.on_progress = report.training
        spark = self.start_spark(report)
        report.phase("training")
        rows = spark.read.parquet(spark_url(data / "train"))
        model = trainer.train(rows, checkpoint=self._checkpoint())
        report.end_phase(trainer.report["seconds"])
        report.phase("saving the model")
        save_model(model, staging / "model.keras")
        preprocessor.save(staging / "preprocessor.json")
        trainer.history.to_parquet(staging / "history.parquet")
        config = self.experiment.train.model_dump(mode="json")
        return {"config": config, "parameters": model.count_params(), **trainer.report}

    def _checkpoint(self) -> Checkpoint | None:
        """Beside the result, under a name that counts for nothing; gone when that is there."""
        seconds = self.experiment.train.checkpoint_seconds
        if not seconds:
            return None
        place = self.output().place
        url = place.with_name(f".{place.name}.checkpoints")
        # Kept at the end of the training, too: the model may not come to be saved.
        return Checkpoint(url, every_seconds=seconds, keep=True)
