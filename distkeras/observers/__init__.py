"""What others show of a training while it runs: TensorBoard, MLflow.

An observer has a thread of its own on the driver, which looks at the server's history about once a
second: nothing waits for it, neither a merge nor the end of the training for longer than the
observer's patience, and what it cannot write is told of in one line of the log.
"""

from distkeras.observers.base import Beginning, Observer
from distkeras.observers.event_files import EventFiles
from distkeras.observers.mlflow_run import MlflowRun
from distkeras.observers.points import Point

__all__ = ["Beginning", "EventFiles", "MlflowRun", "Observer", "Point"]
