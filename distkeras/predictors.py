"""Predictions of a Keras model as a column of a Spark DataFrame."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from distkeras.columns import feature_width, numeric_column, require_column
from distkeras.errors import ConfigError, DataError
from distkeras.losses import check_travels, row_loss
from distkeras.models import Blueprint, Port, check_built, inputs_of, outputs_of, to_blueprint
from distkeras.names import names_of
from distkeras.scoring import Scoring, digest, input_width

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

__all__ = ["ModelPredictor"]


class ModelPredictor:
    """Appends a model's predictions to a DataFrame, in Arrow batches.

    The rows stay where they are and in their order; nothing is computed before Spark runs an
    action. Every Python worker builds the model once. Columns that nobody needs cost time on the
    way to Python and back, those with the features most of all: see ``predict``.

    Example:
        ``ModelPredictor(model).predict(frame, keep=["label"])``

    Args:
        keras_model: a built model; each output has one axis per row.
        features_col: the column with the features: arrays of numbers or ML vectors as wide as
            the model's input (row-major where that has several axes), or plain numbers. For
            several inputs a list of such, in the order of ``keras_model.inputs``.
        output_col: name of the column to append, ``array<float>``: what ``model.predict`` gives.
            For several outputs a list of names in the order of ``keras_model.outputs``, or one
            name that is put before the outputs' own: "prediction_<output>".
        batch_size: rows in one call of the model. Spark sends at most
            ``spark.sql.execution.arrow.maxRecordsPerBatch`` rows (10,000) at once.
        label_col: the column with the targets; read only if ``loss_col`` is given. Class numbers
            become one-hot rows where the model has several outputs, unless its loss is sparse.
        loss_col: name of a column to append with the loss of each row, ``double``: what
            ``model.evaluate`` gives for that row alone, weight penalties included. Its mean is
            what ``model.evaluate`` gives for all rows. The model must be compiled and have one
            output. None: no loss.
        custom_objects: classes and functions that Keras does not know, by name.

    Raises:
        ConfigError: an argument cannot work.
    """

    def __init__(
        self,
        keras_model: Any,
        features_col: str | Sequence[str] = "features",
        output_col: str | Sequence[str] = "prediction",
        batch_size: int = 4096,
        label_col: str = "label",
        loss_col: str | None = None,
        custom_objects: Mapping[str, Any] | None = None,
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise ConfigError(f"batch_size must be a whole number above 0, not {batch_size!r}")
        check_built(keras_model)
        _check_outputs(keras_model)
        if loss_col is not None:
            _check_loss(keras_model, loss_col)
        self.keras_model = keras_model
        self.features_col = features_col
        self.output_col = output_col
        self.batch_size = batch_size
        self.label_col = label_col
        self.loss_col = loss_col
        self.custom_objects = dict(custom_objects or {})
        self._inputs = _inputs(keras_model, features_col)
        self._outputs = _outputs(keras_model, output_col)

    def predict(self, dataframe: DataFrame, keep: Sequence[str] | None = None) -> DataFrame:
        """The same rows and columns, and the predictions.

        The model's weights are taken as they are at this moment. One short job for each input
        looks at the first row's width.

        Args:
            dataframe: a Spark DataFrame with the feature columns.
            keep: names of its columns that are wanted beside the predictions; None for all.
                Without the features it is faster: Spark takes every column that comes back
                apart again, row by row.

        Raises:
            ConfigError: a column is missing, or one to append exists already.
            DataError: the features do not fit the model's input.
        """
        self._check_columns(dataframe)
        kept = _kept(dataframe, keep)
        for name, port in self._inputs:
            _check_width(dataframe, name, port)
        schema = self._schema(dataframe, kept)
        read = {*kept, *(name for name, _ in self._inputs)}
        read |= {self.label_col} if self.loss_col is not None else set()
        needed = dataframe.drop(*(name for name in dataframe.columns if name not in read))
        prepared, hidden = _readable(needed, [name for name, _ in self._inputs])
        job = self._job(prepared, hidden, kept)
        # Spark's mapInArrow stumbles over names with a dot: it gets numbered ones.
        numbered = prepared.toDF(*(f"c{number}" for number in range(len(job.names))))
        return numbered.mapInArrow(job, schema)

    def transform(self, dataframe: DataFrame) -> DataFrame:
        """Another name for ``predict``, as Spark ML has it."""
        return self.predict(dataframe)

    def _check_columns(self, dataframe: DataFrame) -> None:
        for name, _ in self._inputs:
            require_column(dataframe, name, "features_col")
        added = [("output_col", name) for name in self._outputs]
        if self.loss_col is not None:
            require_column(dataframe, self.label_col, "label_col")
            added.append(("loss_col", self.loss_col))
        for argument, name in added:
            if name in dataframe.columns:
                raise ConfigError(f"{argument}: the data already has a column {name!r}")

    def _schema(self, dataframe: DataFrame, kept: tuple[str, ...]) -> Any:
        from pyspark.sql import types

        floats = types.ArrayType(types.FloatType())
        added = [types.StructField(name, floats) for name in self._outputs]
        if self.loss_col is not None:
            added.append(types.StructField(self.loss_col, types.DoubleType()))
        return types.StructType([*(dataframe.schema[name] for name in kept), *added])

    def _job(self, dataframe: DataFrame, hidden: dict[str, str], kept: tuple[str, ...]) -> Scoring:
        blueprint = to_blueprint(self.keras_model)
        if self.loss_col is None:
            blueprint = _uncompiled(blueprint)
        return Scoring(
            blueprint=blueprint,
            digest=digest(blueprint),
            features_cols=tuple(name for name, _ in self._inputs),
            output_cols=self._outputs,
            batch_size=self.batch_size,
            label_col=self.label_col,
            loss_col=self.loss_col,
            hidden_cols=hidden,
            kept_cols=kept,
            names=tuple(dataframe.columns),
            custom_objects=self.custom_objects,
            cores=int(dataframe.sparkSession.conf.get("spark.task.cpus", "1") or 1),
        )


def _kept(dataframe: DataFrame, keep: Sequence[str] | None) -> tuple[str, ...]:
    """The columns that come back."""
    if keep is None:
        return tuple(dataframe.columns)
    names = names_of(keep, "keep") if keep else ()
    for name in names:
        require_column(dataframe, name, "keep")
    return tuple(dict.fromkeys(names))


def _inputs(model: Any, features_col: Any) -> tuple[tuple[str, Port], ...]:
    """The inputs, each with the name of its column."""
    names, ports = names_of(features_col, "features_col"), inputs_of(model)
    if len(names) != len(ports):
        raise ConfigError(
            f"features_col names {len(names)} columns ({', '.join(names)}), but {model.name!r} "
            f"has {len(ports)} inputs ({', '.join(port.name for port in ports)})"
        )
    return tuple(zip(names, ports, strict=True))


def _outputs(model: Any, output_col: Any) -> tuple[str, ...]:
    """The names of the columns to append."""
    names, ports = names_of(output_col, "output_col"), outputs_of(model)
    if isinstance(output_col, str) and len(ports) > 1:
        return tuple(f"{output_col}_{port.name}" for port in ports)
    if len(names) != len(ports):
        raise ConfigError(
            f"output_col names {len(names)} columns ({', '.join(names)}), but {model.name!r} "
            f"has {len(ports)} outputs ({', '.join(port.name for port in ports)})"
        )
    if len(set(names)) < len(names):
        raise ConfigError(f"output_col is {output_col!r}, but the names must differ")
    return names


def _check_width(dataframe: DataFrame, name: str, port: Port) -> None:
    found, expected = feature_width(dataframe, name), input_width(port)
    if found is not None and expected is not None and found != expected:
        raise DataError(
            f"column {name!r} has {found} numbers a row, the model takes {expected} "
            f"(input shape {(None, *port.shape)})"
        )


def _readable(dataframe: DataFrame, columns: Sequence[str]) -> tuple[DataFrame, dict[str, str]]:
    """With flat arrays beside the ML vectors and nested arrays, and the names of these."""
    hidden = {}
    for column in columns:
        kind = dataframe.schema[column].dataType
        nested = kind.simpleString().startswith("array<array<")
        if kind.typeName() in {"vectorudt", "vector"} or nested:
            hidden[column] = f"{column} as array"
    for column, name in hidden.items():
        dataframe = dataframe.withColumn(name, numeric_column(dataframe, column))
    return dataframe, hidden


def _uncompiled(blueprint: Blueprint) -> Blueprint:
    """Without loss, metrics and optimizer: predictions need none, and workers may not have them."""
    config = json.loads(blueprint.config)
    config.pop("compile_config", None)
    return replace(blueprint, config=json.dumps(config))


def _check_loss(model: Any, loss_col: str) -> None:
    if len(model.outputs) > 1:
        raise ConfigError(
            f"loss_col {loss_col!r}: {model.name!r} has {len(model.outputs)} outputs, "
            "a loss per row needs exactly 1"
        )
    loss = getattr(model, "loss", None)
    if row_loss(loss)[0] is None:
        raise ConfigError(f"loss_col {loss_col!r}: the model is not compiled with a loss")
    check_travels(loss)


def _check_outputs(model: Any) -> None:
    for port in outputs_of(model):
        if len(port.shape) > 1 or None in port.shape:
            raise ConfigError(
                f"keras_model: {model.name!r} gives an output of shape {(None, *port.shape)}; "
                "one axis per row can be used, end it with keras.layers.Flatten"
            )
