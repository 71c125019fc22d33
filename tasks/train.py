"""Parquet into a trained model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from distkeras.checkpoints import Checkpoint
from distkeras.lean_keras import import_keras
from distkeras.storage import Place, save_model, spark_url
from tasks.base import ExperimentTask
from tasks.keys import train_parts
from tasks.preprocess import Preprocess
from tasks.progress import Reporter
from tasks.submit import Submission, Trained, forget_job

if TYPE_CHECKING:
    from distkeras.preprocessing.preprocessor import Preprocessor
    from distkeras.trainers import Trainer

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
        forget_job(self.output().place)

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Trains on the training split, here or on a Punchcard server."""
        from distkeras.preprocessing.preprocessor import Preprocessor
        from tasks.models import make_trainer

        data = self.input()["preprocess"].place
        preprocessor = Preprocessor.load(data / "preprocessor.json")

        def make() -> Trainer:
            report.phase("loading Keras")
            import_keras(quietly=True)
            report.phase("building the model")
            return make_trainer(self.experiment, self.initial_model(preprocessor))

        trained = self._trained(make, data / "train", report)
        report.end_phase(trained.report["seconds"])
        report.phase("saving the model")
        save_model(trained.model, staging / "model.keras")
        preprocessor.save(staging / "preprocessor.json")
        trained.history.to_parquet(staging / "history.parquet")
        config = self.experiment.train.model_dump(mode="json")
        return {"config": config, "parameters": trained.model.count_params(), **trained.report}

    def initial_model(self, preprocessor: Preprocessor) -> Any:
        """The model as it is before the training."""
        from tasks.models import make_model

        return make_model(self.experiment, preprocessor)

    def _trained(self, make: Callable[[], Trainer], data: Place, report: Reporter) -> Trained:
        if (spec := self.experiment.train.submit) is not None:
            return Submission(spec, self.output().place, report).train(make, data)
        trainer = make()
        trainer.on_progress = report.training
        spark = self.start_spark(report)
        report.phase("training")
        model = trainer.train(spark.read.parquet(spark_url(data)), checkpoint=self._checkpoint())
        return Trained(model, trainer.history, trainer.report)

    def _checkpoint(self) -> Checkpoint | None:
        """Beside the result, under a name that counts for nothing; gone when that is there."""
        seconds = self.experiment.train.checkpoint_seconds
        if not seconds:
            return None
        place = self.output().place
        url = place.with_name(f".{place.name}.checkpoints")
        # Kept at the end of the training, too: the model may not come to be saved.
        return Checkpoint(url, every_seconds=seconds, keep=True)
