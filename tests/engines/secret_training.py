"""Trains with a secret that is known beforehand, and collects what others could read of it.

Run by ``test_secrets.py``: ``secret_training.py FOLDER``. Spark's log and this program's go to the
standard error; what its web page and the processes' arguments said goes to ``FOLDER/seen``.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
import urllib.request
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import keras
from pyspark.sql import SparkSession

from distkeras.checkpoints import Checkpoint
from distkeras.engines import serving
from distkeras.errors import DistkerasError
from distkeras.rules import Rule, downpour
from distkeras.trainers import DOWNPOUR
from tests.engines.test_secrets import TOKEN

#: Of Spark's web page: where something about a job stands.
PAGES = ("jobs/", "stages/", "environment/", "executors/", "SQL/", "storage/")
LISTS = ("jobs", "stages", "environment", "allexecutors", "sql?details=true&planDescription=true")


class Failing(DOWNPOUR):
    """Its workers end with an error."""

    def _rule(self) -> Rule:
        def send(window: object) -> Any:
            raise RuntimeError("as the test asks")

        plain = downpour()
        return Rule("failing", send, plain.merge, plain.adopt)


def pages(spark: SparkSession) -> str:
    """All that Spark's web page tells."""
    base, application = spark.sparkContext.uiWebUrl, spark.sparkContext.applicationId
    assert base is not None
    addresses = [f"{base}/{page}" for page in PAGES]
    addresses += [f"{base}/api/v1/applications/{application}/{name}" for name in LISTS]
    found = []
    for address in addresses:
        with urllib.request.urlopen(address, timeout=60) as answer:
            found.append(answer.read().decode())
    return "\n".join(found)


def processes() -> str:
    """The arguments and the environment of every process of this session."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and os.getsid(int(folder.name)) == os.getsid(0):
                found += [(folder / name).read_bytes() for name in ("cmdline", "environ")]
        except OSError:
            continue
    return b"\n".join(found).decode(errors="replace")


def train(kind: type[DOWNPOUR], spark: SparkSession, folder: Path) -> str:
    """What was seen while it trained, and what it told at its end."""
    rows = spark.range(200).selectExpr(
        "array(float(id % 8)) AS features", "double(id % 7) AS label"
    )
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    trainer = kind(model, "sgd", "mse", [], num_epoch=20, batch_size=4)
    seen = []

    def look(progress: Any) -> None:
        if not seen:
            seen.append(processes())

    trainer.on_progress = look
    try:
        place = folder / "checkpoints" / kind.__name__
        trainer.train(rows, checkpoint=Checkpoint(place, keep=True))
        seen.append(repr((trainer.report, trainer.history, vars(trainer))))
    except DistkerasError:
        seen.append(traceback.format_exc())
    return "\n".join(seen)


def main(folder: Path) -> None:
    """Trains twice, once in vain."""
    logging.basicConfig(level=logging.DEBUG)
    serving.secrets = SimpleNamespace(token_bytes=lambda size: TOKEN)
    builder = SparkSession.builder.master("local[2]").config("spark.log.level", "DEBUG")
    (folder / "events").mkdir()
    conf = {"spark.eventLog.enabled": "true", "spark.eventLog.dir": f"file://{folder}/events"}
    for key, value in {**conf, "spark.ui.port": "0"}.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    seen = [train(kind, spark, folder) for kind in (DOWNPOUR, Failing)]
    seen.append(pages(spark))
    spark.stop()
    (folder / "seen").write_text("\n".join(seen))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
