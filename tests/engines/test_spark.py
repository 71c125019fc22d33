from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from distkeras.engines.spark import advertised_host, deal, select
from distkeras.engines.summary import Summary, summarise
from distkeras.errors import ConfigError, DataError

NAMES = ("features", "label")


def frame(spark: SparkSession, rows: int = 1000) -> DataFrame:
    numbers = spark.range(rows)
    features = F.array(F.col("id").cast("float"), F.lit(1.0).cast("float"))
    return numbers.select(features.alias("features"), (F.col("id") % 2).alias("label"))


def dealt(data: DataFrame) -> list[tuple[int, int, float]]:
    found = data.select(F.spark_partition_id(), "key", F.col("x")[0]).collect()
    return sorted((row[0], row[1], row[2]) for row in found)


def test_every_worker_gets_as_many_rows(spark: SparkSession) -> None:
    found = dealt(deal(select(frame(spark), *NAMES), 3))
    assert sorted(x for _, _, x in found) == list(range(1000))
    counts = np.bincount([partition for partition, _, _ in found])
    assert len(counts) == 3
    assert counts.max() - counts.min() <= 3


def test_the_same_rows_go_to_the_same_worker_under_the_same_key_again(spark: SparkSession) -> None:
    rows = select(frame(spark), *NAMES)
    assert dealt(deal(rows, 2)) == dealt(deal(rows, 2))
    assert dealt(deal(rows, 2, shuffle_seed=1)) == dealt(deal(rows, 2, shuffle_seed=1))


def test_a_shuffle_deals_differently_from_seed_to_seed(spark: SparkSession) -> None:
    rows = select(frame(spark), *NAMES)
    first, second = (dealt(deal(rows, 2, shuffle_seed=seed)) for seed in (1, 2))
    owners = [{x: partition for partition, _, x in found} for found in (first, second)]
    assert owners[0] != owners[1]


def test_a_summary_counts_and_measures(spark: SparkSession) -> None:
    found = summarise(select(frame(spark, 11), *NAMES), NAMES)
    assert found == Summary(rows=11, width=2, label_width=None, label_min=0.0, label_max=1.0)


def test_vectors_and_array_labels_are_measured_too(spark: SparkSession) -> None:
    from pyspark.ml.linalg import Vectors

    data = [(Vectors.dense([1.0, 2.0]), [0.0, 1.0, 0.0]), (Vectors.sparse(2, {}), [1.0, 0.0, 0.0])]
    rows = select(spark.createDataFrame(data, ["features", "label"]), *NAMES)
    assert summarise(rows, NAMES) == Summary(2, 2, 3, None, None)
    assert [row[0] for row in rows.select("x").collect()] == [[1.0, 2.0], [0.0, 0.0]]


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
        summarise(select(spark.sql(sql), *NAMES), NAMES)


def test_a_misspelt_column_is_named_with_the_nearest(spark: SparkSession) -> None:
    with pytest.raises(ConfigError, match=r"'feature'.*did you mean 'features'"):
        select(frame(spark), "feature", "label")


def test_a_column_of_text_is_refused(spark: SparkSession) -> None:
    with pytest.raises(DataError, match="'label' is string"):
        select(spark.sql("SELECT array(1f) AS features, 'a' AS label"), *NAMES)


def test_workers_of_a_local_master_use_loopback(spark: SparkSession) -> None:
    assert advertised_host(spark) == ("127.0.0.1", "127.0.0.1")


def test_the_key_does_not_depend_on_the_order_of_fetching(spark: SparkSession) -> None:
    data: Any = deal(select(frame(spark, 100), *NAMES), 2)
    keys = [row["key"] for row in data.collect()]
    assert len(set(keys)) == 100
