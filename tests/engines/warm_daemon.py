"""Spark's Python daemon with Keras in it: each worker that it forks need not import it again."""

import keras  # noqa: F401
from pyspark.daemon import manager

if __name__ == "__main__":
    manager()
