"""The pipeline: raw data, a trained model, a report, chained and cached by Luigi.

``luigi --module tasks Evaluate --config configs/magic.toml`` runs what is not there yet.
"""

from tasks import console
from tasks.evaluate import Evaluate
from tasks.preprocess import Preprocess
from tasks.train import Train

__all__ = ["Evaluate", "Preprocess", "Train"]

console.install()
