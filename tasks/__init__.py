"""The pipeline: raw data, a trained model, a report, chained and cached by Luigi.

``luigi --module tasks Evaluate --config configs/magic.toml`` runs what is not there yet.
"""

from tasks import console
from tasks.clean import Clean
from tasks.compare import Compare
from tasks.evaluate import Evaluate
from tasks.nightly.night import Nightly
from tasks.preprocess import Preprocess
from tasks.status import Status
from tasks.sweep.sweep import Sweep
from tasks.train import Train

__all__ = [
    "Clean",
    "Compare",
    "Evaluate",
    "Nightly",
    "Preprocess",
    "Status",
    "Sweep",
    "Train",
]

console.install()
