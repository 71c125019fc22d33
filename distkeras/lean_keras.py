"""Keras without the packages that it only looks for; a third less to import.

Where they are installed, Keras imports Matplotlib, pandas and scikit-learn for its galleries of
images, for DataFrames in ``fit`` and for its scikit-learn wrappers. They take a third of the time
of ``import keras`` (``benchmarks/keras_import.py``), for which each worker waits. In a process of
the user's own nothing is kept from Keras.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["import_keras"]

UNUSED = ("matplotlib", "pandas", "sklearn")


def import_keras() -> None:
    """Imports Keras, if nobody has, in a process that does nothing but train or score.

    Any other code of the process may import those packages, before and afterwards.
    """
    if "keras" in sys.modules:
        return
    with _hidden(UNUSED):
        importlib.import_module("keras")


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
