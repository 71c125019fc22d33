"""Saves and loads a model of 500 MB by Keras on this machine, then on HDFS; prints the peaks.

Run by ``test_large_model.py``, in a process of its own: a peak never falls again.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import keras

from distkeras import storage

UNITS = 11_180  # squared, in float32: 500 MB


def peak() -> float:
    """The most memory that this process has had, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(local: Path, remote: str) -> None:
    """Prints both peaks, and whether the model came back."""
    layers = [keras.Input((UNITS,)), keras.layers.Dense(UNITS, use_bias=False)]
    model = keras.Sequential(layers)
    model.save(local)
    keras.saving.load_model(local)
    by_keras = peak()
    storage.save_model(model, remote)
    same = storage.load_model(remote)
    equal = bool((same.weights[0] == model.weights[0]).numpy().all())
    print(by_keras, peak(), local.stat().st_size / 1e6, int(equal))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
