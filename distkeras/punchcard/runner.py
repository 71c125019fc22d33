"""What ``spark-submit`` runs: reads a job's folder, trains, and publishes what was learned.

The driver is a process of the job's own, so that whatever a model does to it happens to nobody
else. It tells how far it is by a file, and why it has failed by another.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distkeras import storage
from distkeras.checkpoints import Checkpoint
from distkeras.errors import DistkerasError
from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.job_file import JobFile
from distkeras.punchcard.job_folder import ERROR, MODEL, PROGRESS
from distkeras.punchcard.own_trainers import own_trainers
from distkeras.punchcard.progress import ProgressFile
from distkeras.punchcard.submitting import job_of

if TYPE_CHECKING:
    from distkeras.trainers import Trainer

__all__ = ["main"]


def main(folder: str) -> int:
    """Runs the job of a folder; returns the exit status, or raises what the log is to tell."""
    place = Path(folder)
    try:
        _run(place)
    except Exception as error:
        what = "" if isinstance(error, DistkerasError) else f"{type(error).__name__}: "
        line = " ".join(f"{what}{error}".split())
        (place / ERROR).write_text(line[:500] + "\n")
        raise
    return 0


def _run(folder: Path) -> None:
    job, allowed, artifacts = job_of(folder)
    final = storage.locate(artifacts) / folder.name
    if storage.exists(final):
        return  # An earlier attempt was killed when it had done all.
    trainer = _trainer(job, folder, own_trainers(allowed["trainers"]))
    progress = ProgressFile(folder / PROGRESS, trainer.num_epoch)
    trainer.on_progress = progress.write
    path = DataRoots(allowed["roots"]).check(job.data_path)
    # An attempt that comes after one that was killed goes on where that one was.
    checkpoint = Checkpoint(final.with_name(f".{final.name}.checkpoints"), keep=True)
    trained = _train(trainer, path, checkpoint)
    progress.finish()
    _publish(trained, trainer, final)
    checkpoint.remove()


def _trainer(job: JobFile, folder: Path, known: dict[str, type[Trainer]]) -> Trainer:
    from distkeras.punchcard.weights import check_weights
    from distkeras.trainers.arguments import trainer_named
    from distkeras.trainers.described import rebuilt

    check_weights(folder / MODEL)
    kind = trainer_named(job.trainer.name, known)
    return rebuilt(kind, job.trainer.arguments, storage.load_model(folder / MODEL))


def _train(trainer: Trainer, path: str, checkpoint: Checkpoint) -> Any:
    from pyspark.sql import SparkSession

    spark = SparkSession.builder.getOrCreate()
    rows = spark.read.parquet(storage.spark_url(path))
    return trainer.train(rows, checkpoint=checkpoint)


def _publish(trained: Any, trainer: Trainer, final: storage.Place) -> None:
    """The model, or several of an ensemble; the history; and the report."""
    models = trained if isinstance(trained, list) else [trained]
    with storage.publish(final) as staging:
        for number, model in enumerate(models):
            name = f"model-{number}.keras" if isinstance(trained, list) else "model.keras"
            storage.save_model(model, staging / name)
        trainer.history.to_parquet(staging / "history.parquet")
        storage.write_json(staging / "report.json", trainer.report)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
