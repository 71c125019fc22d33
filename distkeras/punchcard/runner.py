"""What ``spark-submit`` runs: reads a job's folder, trains, and publishes what was learned.

Where the job's data is raw, it is preprocessed first, into a folder beside the results, which the
executors reach wherever those are.

The driver is a process of the job's own, so that whatever a model does to it happens to nobody
else. It tells how far it is by a file, and why it has failed by another.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distkeras import storage
from distkeras.checkpoints import Checkpoint
from distkeras.errors import DistkerasError
from distkeras.history import Progress
from distkeras.punchcard.data_roots import DataRoots
from distkeras.punchcard.job_file import JobFile
from distkeras.punchcard.job_folder import ERROR, MODEL, PROGRESS
from distkeras.punchcard.own_trainers import own_trainers
from distkeras.punchcard.progress import ProgressFile
from distkeras.punchcard.submitting import job_of

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from distkeras.preprocessing.spec import PreprocessSpec
    from distkeras.trainers import Trainer

__all__ = ["main"]

#: What scores raw rows, among the results and where the data was preprocessed.
PREPROCESSOR = "preprocessor.json"


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
    prepared = final.with_name(f".{final.name}.data")
    data = _data(job, DataRoots(allowed["roots"]), prepared, progress)
    # An attempt that comes after one that was killed goes on where that one was.
    checkpoint = Checkpoint(final.with_name(f".{final.name}.checkpoints"), keep=True)
    trained = _train(trainer, data, checkpoint)
    progress.finish()
    _publish(trained, trainer, final, prepared if job.preprocess else None)
    checkpoint.remove()
    storage.files_of(prepared).discard(str(prepared))


def _trainer(job: JobFile, folder: Path, known: dict[str, type[Trainer]]) -> Trainer:
    from distkeras.punchcard.weights import check_weights
    from distkeras.trainers.arguments import trainer_named
    from distkeras.trainers.described import rebuilt

    check_weights(folder / MODEL)
    kind = trainer_named(job.trainer.name, known)
    return rebuilt(kind, job.trainer.arguments, storage.load_model(folder / MODEL))


def _data(
    job: JobFile, roots: DataRoots, prepared: storage.Place, progress: ProgressFile
) -> storage.Url:
    """What is trained on: what the job names, or the training split of what it names."""
    paths = {key: roots.check(path, key) for key, path in job.reads.items()}
    if job.preprocess is None:
        return paths["data_path"]
    # What is there is whole: an earlier attempt was killed after it.
    if not storage.exists(prepared):
        from distkeras.preprocessing.run import preprocess

        progress.write(Progress("preprocess"))
        with storage.publish(prepared) as staging:
            preprocess(_spark(), _at(job.preprocess, paths), staging)
    return prepared / "train"


def _at(spec: PreprocessSpec, paths: Mapping[str, str]) -> PreprocessSpec:
    """The spec with the paths that were checked, so that no link is followed a second time."""
    sources = {
        name: source.model_copy(
            update={"path": paths[f"preprocess.sources.{name}.path"], "format": source.kind}
        )
        for name, source in spec.sources.items()
    }
    return spec.model_copy(update={"sources": sources})


def _spark() -> SparkSession:
    from pyspark.sql import SparkSession

    return SparkSession.builder.getOrCreate()


def _train(trainer: Trainer, data: storage.Url, checkpoint: Checkpoint) -> Any:
    rows = _spark().read.parquet(storage.spark_url(data))
    return trainer.train(rows, checkpoint=checkpoint)


def _publish(
    trained: Any, trainer: Trainer, final: storage.Place, prepared: storage.Place | None
) -> None:
    """The model, or several of an ensemble; history and report; what scores raw rows."""
    models = trained if isinstance(trained, list) else [trained]
    with storage.publish(final) as staging:
        for number, model in enumerate(models):
            name = f"model-{number}.keras" if isinstance(trained, list) else "model.keras"
            storage.save_model(model, staging / name)
        trainer.history.to_parquet(staging / "history.parquet")
        storage.write_json(staging / "report.json", trainer.report)
        if prepared is not None:
            fitted = storage.read_bytes(prepared / PREPROCESSOR)
            storage.write_bytes(staging / PREPROCESSOR, fitted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
