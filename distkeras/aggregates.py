"""The Spark side of evaluation: expressions on labels and predictions, and their one aggregation.

Every row becomes a few small entries that are counted by group, so that any number of rows needs
one pass, no Python worker beyond the prediction's own, and a bounded table on the driver.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from distkeras.columns import numeric_column

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

__all__ = ["ROWS", "WRONG", "bins", "class_counts", "class_index", "regression_sums", "single"]

# Kinds of groups in `class_counts`; a kind of 0 or more is a class whose scores are counted.
ROWS = -1
WRONG = -2
# Scores are counted in bins of 1e-5; in wider ones where many classes would give the driver more
# than this many counts to collect.
_BINS = 100_000
_MOST_COUNTS = 2_000_000
# Keras keeps logarithms finite by the same bound.
_EPSILON = 1e-7
# What rounding may add to a probability: a score beyond it is a logit or something else.
_SLACK = 1e-4

_UNFIT = f"v IS NULL OR isnan(v) OR v < -{_SLACK} OR v > 1 + {_SLACK}"
_UNFIT_SCORE = f"get(filter(p, v -> {_UNFIT}), 0)"
_SUM = "aggregate(s, 0D, (total, v) -> total + v)"
_LOG_LOSS = f"-ln(least(greatest(get(s, y) / {_SUM}, {_EPSILON}), 1 - {_EPSILON}))"
_NOT_FINITE = "isnan(p - y) OR abs(p - y) = double('inf') OR p IS NULL OR y IS NULL"


def bins(classes: int) -> int:
    """Into how many bins the scores from 0 to 1 are counted.

    Args:
        classes: at least 2.
    """
    return max(min(_BINS, _MOST_COUNTS // classes), 1)


def class_counts(
    dataframe: DataFrame, label_col: str, prediction_col: str, loss_col: str | None
) -> pa.Table:
    """Counts what a classifier did, in one job.

    Args:
        dataframe: with the label and prediction columns.
        label_col: class numbers, or one-hot arrays.
        prediction_col: arrays with a probability per class, or of the second class alone.
        loss_col: a column with a loss per row, or None.

    Returns:
        One row per group, with the columns ``kind, a, b, n, loss, log_loss, low, high, example``.
        Kind ROWS: n rows of class a were predicted as class b, and the sums of their losses.
        Kind WRONG: n rows cannot be counted; the example is the label (a = 0) or the score that
        is no probability (a = 1).
        Kind k >= 0: n rows have the score ``a / bins`` for class k, which is their class (b = 1)
        or not (b = 0); of two classes only the second one is counted.
        low and high are the least and the greatest number of classes in a row's prediction.

    Raises:
        DataError: a column is not numeric.
    """
    from pyspark.sql import functions as f

    rows = dataframe.select(
        class_index(dataframe, label_col).alias("y"),
        numeric_column(dataframe, prediction_col).cast("array<double>").alias("p"),
        _own_loss(dataframe, loss_col).alias("loss"),
    )
    rows = rows.withColumn("s", f.expr("if(size(p) = 1, array(1 - get(p, 0), get(p, 0)), p)"))
    rows = rows.withColumn("wrong", f.expr(_wrong()))
    rows = rows.withColumn("example", f.expr(f"if(wrong = 0, y, {_UNFIT_SCORE})"))
    # The label is whole and in range where it is used: elsewhere try_cast gives null.
    rows = rows.withColumn("y", f.expr("try_cast(y AS int)"))
    entries = f.expr(f"if(wrong IS NULL, {_right()}, {_useless()})")
    groups = rows.select(f.explode(entries).alias("e")).groupBy("e.kind", "e.a", "e.b")
    return groups.agg(
        f.count("*").alias("n"),
        f.sum("e.loss").alias("loss"),
        f.sum("e.log_loss").alias("log_loss"),
        f.min("e.classes").alias("low"),
        f.max("e.classes").alias("high"),
        # A text here would cost the hash aggregation: Spark sorts all entries instead.
        f.max("e.example").alias("example"),
    ).toArrow()


def class_index(dataframe: DataFrame, column: str) -> Column:
    """The class that a row of a column stands for, as double.

    A number is a class number. An array stands for the place of its greatest value, the first
    one if there are several; an array of one probability for whether that is above 0.5.

    Args:
        dataframe: with the column.
        column: numbers, arrays of numbers or ML vectors.
    """
    from pyspark.sql import functions as f

    values = numeric_column(dataframe, column)
    if dataframe.select(values).schema[0].dataType.typeName() != "array":
        return values.cast("double")
    values = values.cast("array<double>")
    place = f.array_position(values, f.array_max(values)) - 1
    above = (f.get(values, f.lit(0)) > 0.5).cast("double")
    return f.when(f.size(values) == 1, above).otherwise(place.cast("double"))


def regression_sums(
    dataframe: DataFrame, label_col: str, prediction_col: str, loss_col: str | None
) -> dict[str, object]:
    """Sums up the errors of a regression, in one job.

    Args:
        dataframe: with the label and prediction columns.
        label_col: numbers, or arrays of one.
        prediction_col: the same.
        loss_col: a column with a loss per row, or None.

    Returns:
        rows, wrong (rows without a finite number in both), square and absolute (means of the
        error), variance of the label, loss, and error_quantiles (0 %, 1 %, ... 100 %).

    Raises:
        DataError: a column is not numeric.
    """
    from pyspark.sql import functions as f

    rows = dataframe.select(
        single(dataframe, label_col).alias("y"),
        single(dataframe, prediction_col).alias("p"),
        _own_loss(dataframe, loss_col).alias("loss"),
    )
    quantiles = f.percentile_approx(f.expr("p - y"), [share / 100 for share in range(101)], 10_000)
    found = rows.agg(
        f.count("*").alias("rows"),
        f.count_if(f.expr(f"coalesce({_NOT_FINITE}, true)")).alias("wrong"),
        f.avg(f.expr("power(p - y, 2)")).alias("square"),
        f.avg(f.expr("abs(p - y)")).alias("absolute"),
        f.var_pop("y").alias("variance"),
        f.avg("loss").alias("loss"),
        quantiles.alias("error_quantiles"),
    ).first()
    return {} if found is None else found.asDict()


def single(dataframe: DataFrame, column: str) -> Column:
    """The one number of a row, as double; null for an array of another length.

    Args:
        dataframe: with the column.
        column: numbers, arrays of numbers or ML vectors.
    """
    from pyspark.sql import functions as f

    values = numeric_column(dataframe, column)
    if dataframe.select(values).schema[0].dataType.typeName() != "array":
        return values.cast("double")
    return f.when(f.size(values) == 1, f.get(values, f.lit(0))).cast("double")


def _wrong() -> str:
    return (
        f"CASE WHEN s IS NULL OR size(s) < 2 OR exists(s, v -> {_UNFIT}) THEN 1 "
        "WHEN y IS NULL OR y % 1 <> 0 OR y < 0 OR y >= size(s) THEN 0 END"
    )


def _useless() -> str:
    return f"array({_entry(str(WRONG), 'wrong', '0', example='example')})"


def _right() -> str:
    """A row's entries: the confusion matrix gets one, and the scores of each class one."""
    predicted = "cast(array_position(s, array_max(s)) - 1 AS int)"
    row = _entry(str(ROWS), "y", predicted, "loss", _LOG_LOSS)
    bin_count = f"greatest(least({_BINS}, {_MOST_COUNTS} div size(s)), 1)"
    score = f"cast(round(least(greatest(get(s, k), 0D), 1D) * {bin_count}) AS int)"
    scores = _entry("k", score, "cast(k = y AS int)")
    classes = "sequence(if(size(s) = 2, 1, 0), size(s) - 1)"
    return f"concat(array({row}), transform({classes}, k -> {scores}))"


def _entry(
    kind: str, a: str, b: str, loss: str = "0D", log_loss: str = "0D", example: str = "NULL"
) -> str:
    return (
        f"named_struct('kind', {kind}, 'a', {a}, 'b', {b}, 'loss', cast({loss} AS double), "
        f"'log_loss', {log_loss}, 'classes', size(s), 'example', cast({example} AS double))"
    )


def _own_loss(dataframe: DataFrame, loss_col: str | None) -> Column:
    from pyspark.sql import functions as f

    if loss_col is None:
        return f.lit(None).cast("double")
    return numeric_column(dataframe, loss_col).cast("double")
