from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from distkeras.engines.addresses import Endpoint, endpoint
from distkeras.engines.base import Deal
from distkeras.engines.dataframes import deal, select, summarise
from distkeras.engines.spark import SparkEngine
from distkeras.engines.summary import ColumnSummary
from distkeras.engines.task import Job
from distkeras.errors import ConfigError, DataError
from distkeras.names import Columns
from distkeras.rules import downpour
from tests.linear import server_of

COLUMNS = Columns()


def frame(spark: SparkSession, rows: int = 1000) -> DataFrame:
    numbers = spark.range(rows)
    features = F.array(F.col("id").cast("float"), F.lit(1.0).cast("float"))
    return numbers.select(features.alias("features"), (F.col("id") % 2).alias("label"))


def dealt(rows: DataFrame, workers: int, seed: int | None = None) -> list[tuple[int, int, float]]:
    """(worker, key, first feature) of every row."""
    counts = summarise(rows, COLUMNS).partition_rows
    data = deal(rows, workers, counts, seed)
    found = data.select(F.spark_partition_id(), "key", F.col("x0")[0]).collect()
    return sorted((row[0], row[1], row[2]) for row in found)


@pytest.mark.parametrize("seed", [None, 3])
@pytest.mark.parametrize(
    ("rows", "partitions", "workers"), [(1000, 2, 3), (16, 16, 8), (40, 40, 8), (203, 7, 4)]
)
def test_no_worker_has_two_rows_more_than_another(
    spark: SparkSession, rows: int, partitions: int, workers: int, seed: int | None
) -> None:
    data = select(frame(spark, rows).repartition(partitions), COLUMNS)
    found = dealt(data, workers, seed)
    assert sorted(x for _, _, x in found) == list(range(rows))
    assert len({key for _, key, _ in found}) == rows
    counts = np.bincount([worker for worker, _, _ in found], minlength=workers)
    assert counts.max() - counts.min() <= 1


@pytest.mark.parametrize("seed", [None, 1])
def test_the_same_rows_go_to_the_same_worker_under_the_same_key_again(
    spark: SparkSession, seed: int | None
) -> None:
    rows = select(frame(spark), COLUMNS)
    assert dealt(rows, 2, seed) == dealt(rows, 2, seed)


def test_a_shuffle_deals_differently_from_seed_to_seed(spark: SparkSession) -> None:
    rows = select(frame(spark), COLUMNS)
    first, second = (dealt(rows, 2, seed) for seed in (1, 2))
    owners = [{x: worker for worker, _, x in found} for found in (first, second)]
    assert owners[0] != owners[1]


def test_a_summary_counts_and_measures(spark: SparkSession) -> None:
    found = summarise(select(frame(spark, 11), COLUMNS), COLUMNS)
    assert found.rows == 11
    assert found.features == (ColumnSummary("features", 2),)
    assert found.labels == (ColumnSummary("label", None, 0.0, 1.0),)
    assert sum(found.partition_rows) == 11


def test_vectors_and_array_labels_are_measured_too(spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors

    data = [(Vectors.dense([1.0, 2.0]), [0.0, 1.0, 0.0]), (Vectors.sparse(2, {}), [1.0, 0.0, 0.0])]
    rows = select(spark.createDataFrame(data, ["features", "label"]), COLUMNS)
    assert summarise(rows, COLUMNS)[:3] == (
        2,
        (ColumnSummary("features", 2),),
        (ColumnSummary("label", 3),),
    )
    assert [row[0] for row in rows.select("x0").collect()] == [[1.0, 2.0], [0.0, 0.0]]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT array(1f) AS features, 1 AS label WHERE 1 = 0", "has no rows"),
        ("SELECT array(1f) AS features, CAST(NULL AS INT) AS label", "'label' is null in 1 of 1"),
        ("SELECT CAST(NULL AS array<float>) AS features, 1 AS label", "'features' is null in 1"),
        (
            "SELECT explode(array(array(1f), array(1f, 2f))) AS features, 1 AS label",
            "'features' holds arrays of different lengths, 1 to 2",
        ),
    ],
)
def test_rows_that_cannot_be_trained_on(spark: SparkSession, sql: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        summarise(select(spark.sql(sql), COLUMNS), COLUMNS)


def test_a_misspelt_column_is_named_with_the_nearest(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"'feature'.*did you mean 'features'"):
        select(frame(spark), Columns(("feature",)))


def test_a_column_of_text_is_refused(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="'label' is string"):
        select(spark.sql("SELECT array(1f) AS features, 'a' AS label"), COLUMNS)


def test_workers_of_a_local_master_use_loopback(spark: SparkSession) -> None:
    assert endpoint(spark.conf.get) == Endpoint("127.0.0.1", "127.0.0.1")


def sitting(folder: Path) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """A task that says that it runs, and keeps its slot until it is told to go."""

    def sit(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = list(batches)
        (folder / f"sits-{rows[0].column(0)[0]}").touch()
        while not (folder / "go").exists():
            time.sleep(0.05)
        yield from rows

    return sit


def test_a_training_that_is_stopped_does_not_wait_for_slots(
    spark: SparkSession, tmp_path: Path
) -> None:
    engine = SparkEngine(frame(spark), COLUMNS)
    engine.summary()
    others = spark.range(2, numPartitions=2).mapInArrow(sitting(tmp_path), "id long")
    sitter = threading.Thread(target=others.collect)
    sitter.start()
    try:
        while len(list(tmp_path.glob("sits-*"))) < 2:
            time.sleep(0.05)
        server = server_of(downpour())
        server.stop("its user has seen enough")
        # Of the job no more is asked before a worker begins.
        job = Job(None, downpour(), None, None, COLUMNS, 0, timeout=1.0)  # type: ignore[arg-type]
        engine.run(job, Deal(2, 2), server, lambda: None)
        assert server.rows_merged == 0
    finally:
        (tmp_path / "go").touch()
        sitter.join()
