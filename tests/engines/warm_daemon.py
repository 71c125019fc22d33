"""Spark's Python daemon with Keras in it: each worker that it forks need not import it again."""

from pyspark.daemon import manager

from distkeras.lean_keras import import_keras

import_keras()

if __name__ == "__main__":
    manager()
