"""What a Python worker raised, as the exception that it was."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import distkeras.errors
from distkeras.errors import DistkerasError

__all__ = ["raised_on_worker", "unwrapped"]

# Spark hands the worker's traceback over as text; its last line names the exception.
_RAISED = re.compile(r"^distkeras\.errors\.(\w+): (.+)$", re.MULTILINE)


@contextmanager
def unwrapped() -> Iterator[None]:
    """Turns Spark's report of a failed worker into the error that the worker raised.

    Around actions on DataFrames that this library computes: an error of this library, raised in
    a Python worker, arrives with its one line and without Java's stack. Others pass unchanged.

    Example:
        ``with unwrapped(): ModelPredictor(model).predict(frame).write.parquet(path)``
    """
    from pyspark.errors import PythonException

    try:
        yield
    except PythonException as error:
        known = raised_on_worker(error)
        if known is None:
            raise
        raise known from None


def raised_on_worker(error: Exception) -> DistkerasError | None:
    """The error of this library that a Python worker raised; None if it raised another.

    Args:
        error: what Spark raised on the driver.
    """
    found = _RAISED.findall(str(error))
    if not found:
        return None
    name, message = found[-1]
    kind: type[DistkerasError] = getattr(distkeras.errors, name, DistkerasError)
    return kind(message)
