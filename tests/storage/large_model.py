"""Saves and loads a model of 500 MB; prints the peak of memory, MB, and whether it came back.

Run by ``test_large_model.py``, each time in a process of its own: a peak never falls again.
"""

from __future__ import annotations

import resource
import sys

import keras

from distkeras import storage

UNITS = 11_180  # squared, in float32: 500 MB


def main(how: str, where: str) -> None:
    """By Keras alone ("keras"), or by ``storage`` ("storage")."""
    layers = [keras.Input((UNITS,)), keras.layers.Dense(UNITS, use_bias=False)]
    model = keras.Sequential(layers)
    if how == "keras":
        model.save(where)
        same = keras.saving.load_model(where)
    else:
        storage.save_model(model, where)
        same = storage.load_model(where)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(peak, int((same.weights[0] == model.weights[0]).numpy().all()))


if __name__ == "__main__":
    main(*sys.argv[1:])
