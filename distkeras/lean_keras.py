"""Keras without the packages that it only looks for; a third less to import.

Where they are installed, Keras imports Matplotlib, pandas and scikit-learn for its galleries of
images, for DataFrames in ``fit`` and for its scikit-learn wrappers. They take a third of the time
of ``import keras`` (``benchmarks/keras_import.py``), for which each worker waits. In a process of
the user's own nothing is kept from Keras.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

__all__ = ["import_keras"]

UNUSED = ("matplotlib", "pandas", "sklearn")


def import_keras(*, quietly: bool = False) -> None:
    """Imports Keras, if nobody has, in a process that does nothing but train or score.

    Any other code of the process may import those packages, before and afterwards.

    Args:
        quietly: without a word on the console; what fails still raises.
    """
    if "keras" in sys.modules:
        return
    with _hidden(UNUSED), _silence() if quietly else nullcontext():
        importlib.import_module("keras")


@contextmanager
def _silence() -> Iterator[None]:
    """Without file descriptor 2.

    On a machine without a GPU, TensorFlow's CUDA stub writes there that it found none, whatever
    the log level.
    """
    sys.stderr.flush()
    console, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(console, 2)
        os.close(console)
        os.close(nowhere)


@contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """As if these were not installed, but for those that are imported already."""
    hidden = [package for package in packages if package not in sys.modules]
    for package in hidden:
        # So Python marks what cannot be imported; typeshed does not know of it.
        sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for package in hidden:
            del sys.modules[package]
