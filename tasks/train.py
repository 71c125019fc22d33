"""Parquet into a trained model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from distkeras.checkpoints import Checkpoint
from distkeras.errors import TrainingStopped
from distkeras.lean_keras import import_keras
from distkeras.storage import Place, read_json, save_model, spark_url
from tasks.base import ExperimentTask
from tasks.keys import train_parts
from tasks.observing import observers
from tasks.preprocess import Preprocess
from tasks.progress import Reporter
from tasks.submit import Submission, Trained, forget_job
from tasks.target import MANIFEST

if TYPE_CHECKING:
    from distkeras.engines.costs import Costs
    from distkeras.preprocessing.preprocessor import Preprocessor
    from distkeras.stopping import StopCondition
    from distkeras.trainers import Trainer

__all__ = ["Train"]


class Train(ExperimentTask):
    """``model.keras``, ``preprocessor.json``, ``history.parquet`` and ``manifest.json``."""

    code_version = 2
    #: What may end the training before its end: there is no result then. On this machine only.
    stop: Sequence[StopCondition] = ()

    def own_parts(self) -> dict[str, Any]:
        """``[train]`` and the model's source."""
        return train_parts(self.experiment)

    def requires(self) -> dict[str, ExperimentTask]:
        """The normalized data; of a simulation also what its costs are measured on."""
        data: dict[str, ExperimentTask] = {"preprocess": Preprocess(**self.arguments())}
        if not self.experiment.train.simulated:
            return data
        return {**data, "measured": Train(config=self.config, set=(*self.set, *self._alone()))}

    def run(self) -> None:
        """Trains, or goes on training where a killed run was.

        Raises:
            TrainingStopped: by a condition of ``stop``.
        """
        super().run()
        self.forget()

    def forget(self) -> None:
        """Removes what is kept for a run that goes on: none will."""
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
            trained = Submission(spec, self.output().place, report).train(make, data)
            self._show(trained)
            return trained
        costs = self._costs() if self.experiment.train.simulated else None
        trainer = make()
        trainer.on_progress = report.training
        spark = self.start_spark(report)
        report.phase("training")
        rows = spark.read.parquet(spark_url(data))
        model, about = self._made(trainer, rows, costs)
        told = trainer.report
        if told["stopped"] and told["rows_merged"] < told["rows"] * trainer.num_epoch:
            raise TrainingStopped(told["stopped"])
        return Trained(model, trainer.history, told | about)

    def _made(self, trainer: Trainer, rows: Any, costs: Costs | None) -> tuple[Any, dict[str, Any]]:
        """The model, and what else there is to tell of a simulation."""
        following: dict[str, Any] = {"stop": self.stop, "observers": observers(self)}
        if costs is None:
            checkpoint = self._checkpoint()
            return trainer.train(rows, checkpoint=checkpoint, **following), {}
        chosen = rows.select(trainer.features_col, trainer.label_col).toArrow()
        model = trainer.simulate(chosen, costs.conditions(trainer.seed), **following)
        about = {"measured": self.requires()["measured"].key, **costs.told()}
        return model, {"simulated": about}

    def _alone(self) -> Iterator[str]:
        """What makes the simulated training one that its costs can be measured on.

        The elastic force goes by the number of workers, and costs nothing: without it, simulations
        of several numbers are measured on one training.
        """
        yield from ("train.simulated=false", "train.num_workers=1")
        if self.experiment.train.rho is not None:
            yield "train.rho="

    def _costs(self) -> Costs:
        from distkeras.engines.costs import Costs
        from distkeras.history import History, read_history

        place = self.input()["measured"].place
        history = History.from_arrow(read_history(place / "history.parquet"))
        service = read_json(place / MANIFEST)["exchange_cpu_seconds"]
        return Costs.of(history.records, self.experiment.train.batch_size, service)

    def _show(self, trained: Trained) -> None:
        """Shows what was trained elsewhere."""
        from distkeras.observers.following import shown

        for observer in observers(self):
            shown(trained.history, observer, str(trained.report["run"]))

    def _checkpoint(self) -> Checkpoint | None:
        """Beside the result, under a name that counts for nothing; gone when that is there."""
        seconds = self.experiment.train.checkpoint_seconds
        if not seconds:
            return None
        place = self.output().place
        url = place.with_name(f".{place.name}.checkpoints")
        # Kept at the end of the training, too: the model may not come to be saved.
        return Checkpoint(url, every_seconds=seconds, keep=True)
