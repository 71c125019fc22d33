"""Data bigger than memory, 1 of 3: raw files become normalized features, in Spark jobs.

    python examples/example_0_preprocessing.py

Spark reads the files piece by piece and writes what it made of a piece before it takes the next;
of the rows only the first few ever come to this process. So --input may be a folder or a pattern
of files of any size, CSV or Parquet, local or hdfs://namenode:8020/raw, with --label for its column
of classes; --folder may be on HDFS, too, and --master a cluster.

Means, deviations and the names of the classes are learned from the training split alone. Then
there is, in FOLDER/data, what example 1 trains on and example 2 tests on:

    train/  test/        Parquet: features, scaled numbers; label, the number of the class
    preprocessor.json    what was learned; turns raw rows into the same features
    manifest.json        rows, columns and classes, and how long it took
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from session import spark_session

from distkeras.errors import ConfigError, DistkerasError, StorageError
from distkeras.preprocessing.run import preprocess
from distkeras.preprocessing.spec import LabelSpec, PreprocessSpec, SourceSpec
from distkeras.storage import exists, locate, publish

#: 19,020 events of a telescope: gamma or hadron?
EVENTS = Path(__file__).parent / "data" / "magic04.csv"


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    add = parser.add_argument
    add("--input", default=str(EVENTS), help="file, folder or pattern (the telescope's events)")
    add("--format", choices=("csv", "parquet"), help="of the input; by its ending")
    add("--label", default="class", help="the column with the classes (%(default)s)")
    add("--folder", default="output/examples", help="of the three examples (%(default)s)")
    add("--master", help="of Spark: yarn, spark://host:7077 (this machine)")
    return parser.parse_args(arguments)


def specification(asked: argparse.Namespace) -> PreprocessSpec:
    """What is to be made of what: numbers to mean 0 and deviation 1, a fifth of each class tests.

    Raises:
        ConfigError: an option is empty.
    """
    if not asked.input or not asked.label:
        raise ConfigError("--input and --label: must not be empty")
    source = SourceSpec(path=asked.input, format=asked.format)
    label = LabelSpec(column=asked.label)
    return PreprocessSpec(sources={"raw": source}, label=label, scale="standard")


def run(asked: argparse.Namespace) -> dict[str, Any]:
    """Makes FOLDER/data, whole or not at all; returns the manifest."""
    spec, data = specification(asked), locate(asked.folder) / "data"
    if exists(data):
        raise StorageError(f"{data}: is there already; remove it, or give another --folder")
    spark = spark_session("example 0", asked.master)
    with publish(data) as staging:
        return preprocess(spark, spec, staging)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs the example; ends with one line where something is wrong."""
    asked = parsed(arguments)
    try:
        manifest = run(asked)
    except DistkerasError as error:
        raise SystemExit(str(error)) from None
    rows, features = manifest["rows"], manifest["feature_names"]
    print(f"{asked.folder}/data: {rows['train']:,} rows train, {rows['test']:,} test")
    print(f"{len(features)} features: {', '.join(features)}")


if __name__ == "__main__":
    main()
