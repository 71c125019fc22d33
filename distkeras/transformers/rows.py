"""Whole rows of a DataFrame: their order, and where they are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from distkeras.transformers.base import check_dataframe, whole

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["precache", "shuffle"]


def shuffle(dataframe: DataFrame, seed: int | None = None) -> DataFrame:
    """The same rows in an order that is drawn.

    Training needs no such order: each worker shuffles its own rows for every epoch, and
    ``train(dataframe, shuffle=True)`` draws which worker gets which row. This is one sort of all
    rows over the network.

    Args:
        dataframe: a Spark DataFrame.
        seed: draws the same order for the same rows in the same partitions; None draws a new one.

    Raises:
        ConfigError: the seed is no whole number.
    """
    from pyspark.sql import functions as F

    check_dataframe(dataframe)
    drawn = F.rand() if seed is None else F.rand(whole(seed, "seed"))
    return dataframe.orderBy(drawn)


def precache(dataframe: DataFrame, num_workers: int | None = None) -> DataFrame:
    """Computes the rows now and keeps them in Spark's memory and on its disks.

    Args:
        dataframe: a Spark DataFrame.
        num_workers: partitions to divide the rows into first; None leaves them as they are.

    Returns:
        The cached DataFrame; its ``unpersist`` frees the memory.

    Raises:
        ConfigError: ``num_workers`` is no whole number above 0.
    """
    check_dataframe(dataframe)
    if num_workers is not None:
        dataframe = dataframe.repartition(whole(num_workers, "num_workers", 1))
    cached = dataframe.cache()
    cached.count()
    return cached
