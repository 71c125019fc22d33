"""What a Keras model's output says: classes and their probabilities, or values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distkeras.columns import quoted
from distkeras.losses import loss_name
from distkeras.models import outputs_of

if TYPE_CHECKING:
    from pyspark.sql import Column

__all__ = ["Reading", "columns_of"]


@dataclass(frozen=True)
class Reading:
    """How an output is to be read.

    Attributes:
        width: numbers in a row of it.
        classes: whether they tell classes; else they are values.
        logits: whether a softmax (for one number a sigmoid) makes probabilities of them.
    """

    width: int
    classes: bool
    logits: bool = False

    @classmethod
    def of(cls, model: Any, kind: str = "auto") -> Reading:
        """From a model.

        Args:
            model: built, of one output.
            kind: "classes" or "regression"; "auto" goes by the model: classes where its loss is a
                cross-entropy or its last layer a softmax. A binary cross-entropy of several
                outputs is about several questions, not classes.
        """
        loss = _loss(model)
        width = int((outputs_of(model)[0].shape or (1,))[-1] or 1)
        classes = kind == "classes"
        if kind == "auto":
            name = loss_name(loss)
            entropy = "crossentropy" in name and (width == 1 or not name.startswith("binary"))
            classes = entropy or _activation(model) == "softmax"
        return cls(width, classes, bool(classes and _from_logits(loss)))


def columns_of(reading: Reading, output: str) -> dict[str, Column]:
    """The columns that a model appends, by what they are: "prediction" and "probability".

    Args:
        reading: of the model.
        output: name of the column with the model's output, arrays of numbers.
    """
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F

    values = F.col(quoted(output)).cast("array<double>")
    if not reading.classes:
        return {"prediction": array_to_vector(values) if reading.width > 1 else F.get(values, 0)}
    if reading.width == 1:
        return _one_output(F.get(values, F.lit(0)), reading.logits)
    probability = _softmax(values) if reading.logits else values
    # The order of logits is that of their probabilities, which may be rounded to the same.
    place = F.array_position(values, F.array_max(values)) - 1
    return {
        "prediction": place.cast("double"),
        "probability": array_to_vector(probability),
    }


def _one_output(value: Column, logits: bool) -> dict[str, Column]:
    from pyspark.ml.functions import array_to_vector
    from pyspark.sql import functions as F

    chance = 1 / (1 + F.exp(-value)) if logits else value
    return {
        "prediction": (value >= (0.0 if logits else 0.5)).cast("double"),
        "probability": array_to_vector(F.array(1 - chance, chance)),
    }


def _softmax(values: Column) -> Column:
    from pyspark.sql import functions as F

    powers = F.transform(values, lambda v: F.exp(v - F.array_max(values)))
    total = F.aggregate(powers, F.lit(0.0), lambda sum_, v: sum_ + v)
    return F.transform(powers, lambda v: v / total)


def _loss(model: Any) -> Any:
    """The one that the model was compiled with, whatever Keras wraps it in; None for none."""
    loss = getattr(model, "loss", None)
    if isinstance(loss, dict):
        loss = list(loss.values())
    return loss[0] if isinstance(loss, list | tuple) and loss else loss or None


def _from_logits(loss: Any) -> bool:
    config = loss.get_config() if hasattr(loss, "get_config") else {}
    return bool(config.get("from_logits", False))


def _activation(model: Any) -> str:
    """Of what makes the output; "" where it has none."""
    history = getattr(model.outputs[0], "_keras_history", None)
    last = getattr(history, "operation", None)
    if last is not None and last is not model and getattr(last, "layers", None):
        return _activation(last)  # A model within the model.
    found = getattr(last, "activation", None)
    return str(getattr(found, "__name__", "")) or type(last).__name__.lower()
