"""What Keras only looks for does not come with it, and is there for whoever wants it."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys

before = {name.partition(".")[0] for name in sys.modules}
from distkeras.models import use_cores

use_cores(1)
came = {name.partition(".")[0] for name in sys.modules} - before
print(sorted(came & {"keras", "matplotlib", "pandas", "sklearn"}))

import keras
import matplotlib.pyplot
import numpy
import pandas
import sklearn.utils

model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
print(model.predict(numpy.ones((1, 2)), verbose=0).shape, pandas.Series([7]).to_numpy())
"""

USED_ALREADY = """
import pandas
from distkeras.lean_keras import import_keras

import_keras()
import keras
import sys

print(sys.modules["pandas"] is pandas, "sklearn" in sys.modules)
"""


def said(program: str) -> list[str]:
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=True)
    return done.stdout.splitlines()


def test_others_come_when_they_are_asked_for() -> None:
    assert said(PROGRAM) == ["['keras']", "(1, 1) [7]"]


def test_what_somebody_uses_already_stays() -> None:
    assert said(USED_ALREADY) == ["True False"]
