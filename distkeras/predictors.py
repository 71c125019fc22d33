"""Predictions of a Keras model as a column of a Spark DataFrame."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from distkeras.columns import feature_width, numeric_column, require_column
from distkeras.errors import ConfigError, DataError
from distkeras.losses import check_travels, row_loss
from distkeras.models import Blueprint, check_single, to_blueprint
from distkeras.scoring import Scoring, digest, input_width

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["ModelPredictor"]


class ModelPredictor:
    """Appends a model's predictions to a DataFrame, in Arrow batches.

    The rows stay where they are and in their order; nothing is computed before Spark runs an
    action. Every Python worker builds the model once. Columns that nobody needs cost time on the
    way to Python and back: ``select`` first.

    Example:
        ``ModelPredictor(model).predict(frame).select("label", "prediction")``

    Args:
        keras_model: a built model with one input and one output of one axis per row.
        features_col: the column with the features: arrays of numbers or ML vectors as wide as
            the model's input (row-major where that has several axes), or plain numbers.
        output_col: name of the column to append, ``array<float>``: what ``model.predict`` gives.
        batch_size: rows in one call of the model. Spark sends at most
            ``spark.sql.execution.arrow.maxRecordsPerBatch`` rows (10,000) at once.
        label_col: the column with the targets; read only if ``loss_col`` is given. Class numbers
            become one-hot rows where the model has several outputs, unless its loss is sparse.
        loss_col: name of a column to append with the loss of each row, ``double``: what
            ``model.evaluate`` gives for that row alone, weight penalties included. Its mean is
            what ``model.evaluate`` gives for all rows. The model must be compiled. None: no loss.

    Raises:
        ConfigError: an argument cannot work, or the model has several inputs or outputs.
    """

    def __init__(
        self,
        keras_model: Any,
        features_col: str = "features",
        output_col: str = "prediction",
        batch_size: int = 4096,
        label_col: str = "label",
        loss_col: str | None = None,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ConfigError(f"batch_size must be a whole number above 0, not {batch_size!r}")
        check_single(keras_model)
        _check_output(keras_model)
        if loss_col is not None:
            _check_loss(keras_model, loss_col)
        self.keras_model = keras_model
        self.features_col = features_col
        self.output_col = output_col
        self.batch_size = batch_size
        self.label_col = label_col
        self.loss_col = loss_col

    def predict(self, dataframe: DataFrame) -> DataFrame:
        """The same rows and columns, and the predictions.

        The model's weights are taken as they are at this moment. One short job looks at the
        first row's width.

        Args:
            dataframe: a Spark DataFrame with the feature column.

        Raises:
            ConfigError: a column is missing, or one to append exists already.
            DataError: the features do not fit the model's input.
        """
        self._check_columns(dataframe)
        self._check_width(dataframe)
        schema = self._schema(dataframe)
        prepared, hidden = _readable(dataframe, self.features_col)
        job = self._job(prepared, hidden)
        # Spark's mapInArrow stumbles over names with a dot: it gets numbered ones.
        numbered = prepared.toDF(*(f"c{number}" for number in range(len(job.names))))
        return numbered.mapInArrow(job, schema)

    def transform(self, dataframe: DataFrame) -> DataFrame:
        """Another name for ``predict``, as Spark ML has it."""
        return self.predict(dataframe)

    def _check_columns(self, dataframe: DataFrame) -> None:
        require_column(dataframe, self.features_col, "features_col")
        if self.loss_col is not None:
            require_column(dataframe, self.label_col, "label_col")
        for argument, name in (("output_col", self.output_col), ("loss_col", self.loss_col)):
            if name in dataframe.columns:
                raise ConfigError(f"{argument}: the data already has a column {name!r}")

    def _check_width(self, dataframe: DataFrame) -> None:
        found = feature_width(dataframe, self.features_col)
        expected = input_width(self.keras_model.input_shape)
        if found is not None and expected is not None and found != expected:
            raise DataError(
                f"column {self.features_col!r} has {found} numbers a row, the model takes "
                f"{expected} (input shape {self.keras_model.input_shape})"
            )

    def _schema(self, dataframe: DataFrame) -> Any:
        from pyspark.sql import types

        added = [types.StructField(self.output_col, types.ArrayType(types.FloatType()))]
        if self.loss_col is not None:
            added.append(types.StructField(self.loss_col, types.DoubleType()))
        return types.StructType([*dataframe.schema.fields, *added])

    def _job(self, dataframe: DataFrame, hidden: str | None) -> Scoring:
        blueprint = to_blueprint(self.keras_model)
        if self.loss_col is None:
            blueprint = _uncompiled(blueprint)
        return Scoring(
            blueprint=blueprint,
            digest=digest(blueprint),
            features_col=self.features_col,
            output_col=self.output_col,
            batch_size=self.batch_size,
            label_col=self.label_col,
            loss_col=self.loss_col,
            hidden_col=hidden,
            names=tuple(dataframe.columns),
            cores=int(dataframe.sparkSession.conf.get("spark.task.cpus", "1") or 1),
        )


def _readable(dataframe: DataFrame, column: str) -> tuple[DataFrame, str | None]:
    """For ML vectors or nested arrays: a DataFrame with flat arrays beside them, and their name."""
    kind = dataframe.schema[column].dataType
    nested = kind.simpleString().startswith("array<array<")
    if kind.typeName() not in {"vectorudt", "vector"} and not nested:
        return dataframe, None
    hidden = f"{column} as array"
    return dataframe.withColumn(hidden, numeric_column(dataframe, column)), hidden


def _uncompiled(blueprint: Blueprint) -> Blueprint:
    """Without loss, metrics and optimizer: predictions need none, and workers may not have them."""
    config = json.loads(blueprint.config)
    config.pop("compile_config", None)
    return replace(blueprint, config=json.dumps(config))


def _check_loss(model: Any, loss_col: str) -> None:
    loss = getattr(model, "loss", None)
    if row_loss(loss)[0] is None:
        raise ConfigError(f"loss_col {loss_col!r}: the model is not compiled with a loss")
    check_travels(loss)


def _check_output(model: Any) -> None:
    if len(model.output_shape) > 2 or None in model.output_shape[1:]:
        raise ConfigError(
            f"keras_model: {model.name!r} gives an output of shape {model.output_shape}; "
            "one axis per row can be used, end it with keras.layers.Flatten"
        )
