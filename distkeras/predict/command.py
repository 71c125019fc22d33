"""``distkeras predict``: the command line."""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distkeras.engines.jvm import setting
from distkeras.errors import ConfigError

if TYPE_CHECKING:
    from distkeras.predict.scorer import Scorer
    from distkeras.preprocessing.spec import Format, SourceSpec

__all__ = ["Request", "add_predict", "run_predict"]


@dataclass(frozen=True)
class Request:
    """What is to be predicted.

    Attributes:
        scorer: the model and its preprocessor.
        input: the raw rows.
        input_format: how they are written.
        output: where to.
        output_format: how to write there.
        batch_size: rows in one call of the model.
    """

    scorer: Scorer
    input: SourceSpec
    input_format: Format
    output: str
    output_format: Format
    batch_size: int


def add_predict(commands: Any) -> None:
    """Adds ``predict`` to the subcommands of a parser."""
    predict = commands.add_parser("predict", help="scores raw rows with a saved model")
    add = predict.add_argument
    add("--model", required=True, help="a Train task's folder, or a .keras file (local, hdfs://)")
    add("--input", required=True, help="file, folder or pattern; CSV, also .gz, or Parquet")
    add("--output", required=True, help="ends in .parquet or .csv; with --spark a folder")
    add("--format", choices=("csv", "parquet"), help="of the input; default: by its ending")
    add("--separator", default=",", help="CSV: between two values (%(default)s)")
    add("--columns", metavar="A,B", help="CSV without a header: the names of its columns")
    add("--features-col", default="features", help="for a .keras file (%(default)s)")
    add("--batch-size", type=int, default=4096, help="rows in a call of the model (%(default)s)")
    add("--spark", nargs="?", const="local[*]", metavar="MASTER", help="in Spark (local[*])")
    add("--conf", action="append", default=[], metavar="KEY=VALUE", help="a setting of Spark")


def run_predict(given: argparse.Namespace) -> int:
    """Does what the command line says; returns the exit status, 0.

    Raises:
        DistkerasError: one line; nothing is written then.
    """
    # Before TensorFlow is imported: it would tell of what this machine has no use for.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if given.conf and given.spark is None:
        raise ConfigError("--conf: is for --spark")
    request = _request(given)
    if given.spark is None:
        from distkeras.predict.alone import predict_alone

        rows = predict_alone(request)
    else:
        from distkeras.predict.with_spark import check_free, predict_with_spark, spark_session

        check_free(request.output)
        settings = {"spark.master": given.spark} | dict(map(setting, given.conf))
        with spark_session(settings) as session:
            rows = predict_with_spark(request, session)
    print(f"{given.output}: {rows} rows")
    return 0


def _request(given: argparse.Namespace) -> Request:
    from distkeras.predict.scorer import find_scorer
    from distkeras.preprocessing.files import check_there

    if given.batch_size < 1:
        raise ConfigError(f"--batch-size {given.batch_size}: must be above 0")
    source = _source(given)
    input_format, output_format = _input_format(source), _output_format(given.output)
    scorer = find_scorer(given.model, given.features_col)
    if scorer.preprocessor is None and input_format == "csv":
        raise ConfigError(
            f"--model {given.model}: a .keras file takes Parquet with a column of features; for "
            "raw rows give the folder that holds its preprocessor.json, too"
        )
    check_there("--input", source.path)
    return Request(
        scorer, source, input_format, given.output, output_format, batch_size=given.batch_size
    )


def _source(given: argparse.Namespace) -> SourceSpec:
    from distkeras.preprocessing.spec import SourceSpec

    if not (given.input and given.separator):
        raise ConfigError("--input and --separator: must not be empty")
    columns = tuple(given.columns.split(",")) if given.columns else ()
    return SourceSpec(
        path=given.input,
        format=given.format,
        header=not columns,
        separator=given.separator,
        columns=columns,
    )


def _input_format(source: SourceSpec) -> Format:
    if source.kind is None:
        raise ConfigError(f"--input {source.path}: does not tell its format; add --format csv")
    return source.kind


def _output_format(url: str) -> Format:
    formats: dict[str, Format] = {".csv": "csv", ".parquet": "parquet"}
    for ending, kind in formats.items():
        if url.endswith(ending):
            return kind
    raise ConfigError(f"--output {url}: must end in .parquet or .csv")
