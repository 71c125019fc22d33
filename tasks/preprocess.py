"""Raw data into normalized Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from distkeras.errors import DataError
from distkeras.storage import Place
from tasks.base import ExperimentTask
from tasks.keys import preprocess_parts
from tasks.progress import Reporter

__all__ = ["Preprocess"]


class Preprocess(ExperimentTask):
    """``train/`` and ``test/`` as Parquet, ``preprocessor.json`` and ``manifest.json``."""

    code_version = 1

    def own_parts(self) -> dict[str, Any]:
        """The inputs and ``[preprocess]``."""
        return preprocess_parts(self.experiment)

    def produce(self, staging: Place, report: Reporter) -> Mapping[str, Any]:
        """Runs the Spark jobs."""
        from distkeras.preprocessing.run import preprocess

        spark = self.start_spark(report)
        report.phase("preprocessing")
        manifest = preprocess(spark, self.experiment.preprocess, staging)
        report.end_phase(manifest["seconds"])
        if preprocess_parts(self.experiment)["inputs"] != self.parts["inputs"]:
            paths = ", ".join(s.path for s in self.experiment.preprocess.sources.values())
            raise DataError(f"{paths}: changed while being read; run again")
        return manifest
